"""Observing: see what a text model's attention is given, layer by layer, while it runs; nothing is left afterwards."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from intpv.attention.interface import NAME, attention
from intpv.attention_kl.side import Asked

Observer = Callable[[int, Asked], None]  # the layer's index, and what its attention is given


@contextmanager
def observed(observe: Observer, layers: Collection[int] | None = None) -> Iterator[None]:
    """Inside, a model in `use` reports to `observe` before each of these layers' attention, all layers by default.

    The model must be given an explicit boolean 4-D mask. Not to be nested.
    """
    if ALL_ATTENTION_FUNCTIONS[NAME] is not attention:
        raise RuntimeError(f'attention "{NAME}" is observed already')

    def spy(module, query, key, value, attention_mask, scaling=None, **more):
        if layers is None or module.layer_idx in layers:
            scale = query.shape[-1] ** -0.5 if scaling is None else scaling
            observe(module.layer_idx, Asked(query[0], key[0], value[0], attention_mask[0, 0], scale))
        return attention(module, query, key, value, attention_mask, scaling=scaling, **more)

    # an entry of this one table shadows the registered function until it is deleted again
    ALL_ATTENTION_FUNCTIONS[NAME] = spy
    try:
        yield
    finally:
        del ALL_ATTENTION_FUNCTIONS[NAME]
