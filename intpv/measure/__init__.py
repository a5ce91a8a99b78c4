"""Measures: the lines of samples.jsonl in, numbers out; one metric a file, pure functions."""
