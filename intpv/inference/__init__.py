"""A benchmark through watch and ask: videos in, answers, metrics and measures out."""
