"""Benchmarks: python -m experiments.bench NAME measures ours and the alternative in one run, alternating."""
