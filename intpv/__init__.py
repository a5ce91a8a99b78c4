"""intpv: longer video for Video-LLMs without training (arXiv 2409.12963 and beyond)."""


def __getattr__(name: str):
    """`intpv.extend`, fetched when it is asked for: importing intpv must not wait for torch."""
    if name == "extend":
        from intpv.extending import extend

        return extend
    raise AttributeError(f"module intpv has no attribute {name}")
