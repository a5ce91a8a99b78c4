"""Watch a video once, ask about it many times; or extend a model of transformers in place."""
