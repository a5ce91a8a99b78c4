"""The KV cache's bench in parts: its data, the ways to hold a prefix (ours, transformers'), the measures."""
