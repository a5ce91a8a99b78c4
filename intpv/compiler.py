"""The compiler: whether torch.compile works on a device, and if not, why."""

from functools import cache

import torch


@cache
def broken_compiler(device: torch.device) -> str | None:
    """Tried, not guessed: a compiler may be there and its headers not. None if it works."""
    try:
        torch.compile(lambda x: x + 1, fullgraph=True)(torch.zeros(8, device=device))
    except Exception as error:  # whatever a tool chain may fail with
        return f"torch.compile fails on {device} with {type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return None
