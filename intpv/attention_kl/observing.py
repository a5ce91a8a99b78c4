"""Observing: see what a text model's attention is given, layer by layer, while it runs; nothing is left afterwards."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from intpv.attention.interface import observer
from intpv.attention_kl.side import Asked

Observer = Callable[[int, Asked], None]  # the layer's index, and what its attention is given


@contextmanager
def observed(observe: Observer, layers: Collection[int] | None = None) -> Iterator[None]:
    """Inside, a model in `use` that attends to a prefix reports to `observe` before each of these layers' attention,
    all layers by default.

    The model must be given an explicit boolean 4-D mask. Not to be nested.
    """
    if observer.get() is not None:
        raise RuntimeError("attention is observed already")

    def tell(layer, query, key, value, mask, scaling):
        if layers is None or layer in layers:
            observe(layer, Asked(query, key, value, mask[0, 0], scaling))

    token = observer.set(tell)
    try:
        yield
    finally:
        observer.reset(token)
