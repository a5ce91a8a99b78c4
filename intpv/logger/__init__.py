"""Mirrors of a run: W&B, csv or TensorBoard."""
