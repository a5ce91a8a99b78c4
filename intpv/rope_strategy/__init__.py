"""RoPE scaling: what turns by which angle when more tokens come than the model was trained on. One strategy a file."""
