"""What loading a published checkpoint takes: its files, its config, its weights, its LoRA."""
