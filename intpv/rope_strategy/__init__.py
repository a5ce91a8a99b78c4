"""RoPE scaling: by which angles tokens are rotated when more come than the model was trained on; one file each."""
