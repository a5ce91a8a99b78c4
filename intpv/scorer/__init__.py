"""Scorers: what a generated answer is worth; text in, score out, so saved predictions can be scored again."""
