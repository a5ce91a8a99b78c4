"""Attention of a video's questions to their shared prefix and to their own keys."""
