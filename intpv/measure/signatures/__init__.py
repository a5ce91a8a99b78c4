"""Failure signatures of the paper (arXiv 2409.12963): each a figure, and a threshold from the baseline's own spread."""
