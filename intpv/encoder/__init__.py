"""Encoders: a frozen video tower and its projector, one a file; groups of frames to tokens of LLM width."""
