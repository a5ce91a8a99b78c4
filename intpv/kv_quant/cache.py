"""The one file that knows transformers' cache: what prefill left in it, and where the questions keep their own keys."""

import inspect

from jaxtyping import Float
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from intpv.errors import BadInput


def layers_of(cache: Cache) -> list[tuple[Float[Tensor, "H_kv S d"], Float[Tensor, "H_kv S d"]]]:
    """Keys (as rotated) and values of every layer after a prefill of one sequence; views, no copy.

    Raises BadInput for a model with sliding-window or linear layers: those do not keep the whole prefix.
    """
    for index, layer in enumerate(cache.layers):
        if type(layer) is not DynamicLayer:
            raise BadInput(f"a prefix needs full attention in every layer, got {type(layer).__name__} in layer {index}")
        if len(layer.keys) != 1:
            raise ValueError(f"a prefix is one sequence, got a batch of {len(layer.keys)} in layer {index}")
    return [(layer.keys[0], layer.values[0]) for layer in cache.layers]


def handed(decoder: PreTrainedModel, cache: Cache) -> dict[str, Cache]:
    """The cache as the text model's argument: `cache` from transformers 5.24 on, `past_key_values` before."""
    named = inspect.signature(type(decoder).forward).parameters  # its own: other libraries wrap an instance's
    return {"cache" if "cache" in named else "past_key_values": cache}


class QuestionCache(DynamicCache):
    """The questions' own keys and values, and nothing of the prefix: `update` appends to them and returns them alone.

    Lengths and mask sizes are those of the questions too, so give the model explicit `position_ids` (a cache's length
    is not a position) and, unless a single question is fed, an explicit 4-D mask over these keys.
    """

    def __init__(self):
        super().__init__()  # without a config: it would make some layers sliding, and layers_of has refused those
