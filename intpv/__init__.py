"""intpv: longer video for Video-LLMs without training (arXiv 2409.12963 and beyond)."""
