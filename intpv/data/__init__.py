"""Benchmarks: videos with questions, one benchmark a file."""
