"""The only place that reaches into transformers: its attention, its cache, its rotary modules."""
