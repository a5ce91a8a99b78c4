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

    def on_meta(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None:
            parameter = nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
        register(module, name, parameter)

    nn.Module.register_parameter = on_meta
    try:
        yield
    finally:
        nn.Module.register_parameter = register
