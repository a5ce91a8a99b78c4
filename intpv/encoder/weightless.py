"""Weightless: build a module's shape without its weights, for a loader that brings them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def weightless() -> Iterator[None]:
    """Inside `with`, every new parameter is on the meta device: no memory, no time spent on drawing it.

    Buffers stay real: tables such as inv_freq are computed, not loaded. Not for several threads at once.
    """
    register = nn.Module.register_parameter

    def on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        if param is not None:
            param = nn.Parameter(param.to("meta"), requires_grad=param.requires_grad)
        register(self, name, param)

    nn.Module.register_parameter = on_meta  # type: ignore[method-assign]  # put back below
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]
