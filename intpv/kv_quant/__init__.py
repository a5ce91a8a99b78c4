"""The prefix of a video in few bits: quantise once, keep packed, hand out piece by piece."""
