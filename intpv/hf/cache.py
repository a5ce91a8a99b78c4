"""The one file that knows transformers' cache: what prefill left in it, and where the questions keep their own keys."""

import inspect
from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from intpv.errors import BadInput


def layers_of(cache: Cache) -> list[tuple[Float[Tensor, "H_kv S d"], Float[Tensor, "H_kv S d"]]]:
    """Keys (as rotated) and values of every layer after a prefill of one sequence; views, no copy.

    Raises BadInput for a model with sliding-window or linear layers: those do not keep the whole prefix.
    """
    return [_pair(cache, index) for index in range(len(cache.layers))]


def _pair(cache: Cache, index: int) -> tuple[Float[Tensor, "H_kv S d"], Float[Tensor, "H_kv S d"]]:
    layer = cache.layers[index]
    if type(layer) is not DynamicLayer:
        raise BadInput(f"a prefix needs full attention in every layer, got {type(layer).__name__} in layer {index}")
    keys, values = layer.keys, layer.values
    assert keys is not None  # after a prefill
    assert values is not None
    if len(keys) != 1:
        raise ValueError(f"a prefix is one sequence, got a batch of {len(keys)} in layer {index}")
    return keys[0], values[0]


def shorten(cache: Cache, index: int, left: Int[Tensor, " n"]) -> None:
    """Leave a layer those of the tokens that it holds: copies, so that the others are free."""
    layer, (keys, values) = cache.layers[index], _pair(cache, index)
    assert isinstance(layer, DynamicLayer)  # as a pair is of
    layer.keys, layer.values = keys[None, :, left], values[None, :, left]


class HandingCache(DynamicCache):
    """A prefill's cache that holds one layer: its keys and values are handed to `take` once its attention is over, and
    those of the last layer by `finish`. They are `layers_of` a DynamicCache, one by one.
    """

    def __init__(self, take: Callable[[Tensor, Tensor], None]):
        super().__init__()
        self.take, self.taken = take, 0

    def update(
        self,
        key_states: Float[Tensor, "B H_kv S d"],
        value_states: Float[Tensor, "B H_kv S d"],
        layer_idx: int,
        *args,
        **kwargs,
    ) -> tuple[Tensor, Tensor]:
        """Called as a layer's attention begins, when all layers before it are done with theirs."""
        self._hand_on(layer_idx)
        return super().update(key_states, value_states, layer_idx, *args, **kwargs)

    def finish(self) -> None:
        """The forward pass is over."""
        self._hand_on(len(self.layers))

    def _hand_on(self, stop: int) -> None:
        for index in range(self.taken, stop):
            pair = _pair(self, index)
            self.layers[index] = DynamicLayer()
            self.take(*pair)
        self.taken = stop


def handed(decoder: PreTrainedModel, cache: Cache | None) -> dict[str, Cache | None]:
    """The cache as the text model's argument: `cache` from transformers 5.24 on, `past_key_values` before."""
    named = inspect.signature(type(decoder).forward).parameters  # its own: other libraries wrap an instance's
    return {"cache" if "cache" in named else "past_key_values": cache}


class QuestionCache(DynamicCache):
    """The questions' own keys and values, and nothing of the prefix: `update` appends to them and returns them alone.

    Lengths and mask sizes are those of the questions too, so give the model explicit `position_ids` (a cache's length
    is not a position) and, unless a single question is fed, an explicit 4-D mask over these keys.
    """

    def __init__(self):
        super().__init__()  # without a config: it would make some layers sliding, and forget what placed() counts
