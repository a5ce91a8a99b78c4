"""The one place that registers with transformers: as "intpv" a text model attends to a prefix that it never holds.

    with use(text_model), attending_to(packed), placed(rows, own_keys):
        text_model(..., position_ids=..., attention_mask=own_keys_4d, past_key_values=QuestionCache())

Without an active prefix "intpv" is transformers' own "sdpa", to the bit. What else a layer asks of attention is applied
or refused by rules.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from intpv.attention.dense import fused_attention
from intpv.attention.prefix import PrefixLayer, prefix_attention
from intpv.attention.rules import Places, Rules, window_of
from intpv.attention.segment_prefill import over_sequence
from intpv.attention.segments import Turning, over_own, over_prefix
from intpv.attention.softmax import attend, merge, merged
from intpv.errors import BadInput

NAME = "intpv"


@runtime_checkable
class Prefix(Protocol):
    """A packed prefix, as far as attention is concerned."""

    @property
    def layers(self) -> Sequence[PrefixLayer]: ...


# a context variable: transformers calls the attention function itself, with no room for an argument of ours
_active: ContextVar[Prefix | None] = ContextVar("prefix", default=None)
# which tokens are fed: windows count them, and a mask over own keys does not say them
_places: ContextVar[Places | None] = ContextVar("places", default=None)
# who is told, beside a prefix, what each layer's attention is given (layer, q, k, v, mask, scaling, parts): nobody
observer: ContextVar[Callable[..., None] | None] = ContextVar("observer", default=None)
# who is told the queries of each layer of a prefix that is being read (layer, q, scaling): nobody
listener: ContextVar[Callable[[int, Tensor, float], None] | None] = ContextVar("listener", default=None)
# in which segments rows see their keys, where that is not all at their own distance: set by what rotates (rotary.py)
turning: ContextVar[Turning | None] = ContextVar("turning", default=None)


@contextmanager
def attending_to(packed: Prefix) -> Iterator[None]:
    """Inside, every row of a model in `use` sees all of `packed` before its own keys."""
    token = _active.set(packed)
    try:
        yield
    finally:
        _active.reset(token)


def attended() -> Prefix | None:
    """The prefix that is attended to here, if any."""
    return _active.get()


@contextmanager
def placed(rows: Int[Tensor, " R"], keys: Int[Tensor, " T"]) -> Iterator[None]:
    """Inside, the rows that are fed and the own keys that they see are these tokens of the sequence."""
    token = _places.set(Places(rows, keys))
    try:
        yield
    finally:
        _places.reset(token)


@contextmanager
def use(text_model: PreTrainedModel, implementation: str = NAME) -> Iterator[None]:
    """Inside, the text model attends through this file, or by another of transformers' implementations. Walks all
    submodules: once per ask, not once per step."""
    previous = text_model.config._attn_implementation
    text_model.set_attn_implementation(implementation)
    try:
        yield
    finally:
        text_model.set_attn_implementation(previous)


def attention(
    module: nn.Module,
    query: Float[Tensor, "B H R d"],
    key: Float[Tensor, "B H_kv T d"],
    value: Float[Tensor, "B H_kv T d"],
    attention_mask: Shaped[Tensor, "B _ R T"] | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[Float[Tensor, "B R H d"], None]:
    """Attention as transformers calls it; with a prefix active, merged over the prefix and the row's own keys; under a
    rotation in segments, merged over these.

    The questions are one packed row, so B is 1 then, and the mask is over their own keys alone. Inference only: dropout
    is not applied beside a prefix.
    """
    prefix, turned = _active.get(), turning.get()
    if prefix is None and turned is None:
        if (hear := listener.get()) is not None:
            hear(cast(int, module.layer_idx), query[0], query.shape[-1] ** -0.5 if scaling is None else scaling)
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    if len(query) != 1:
        raise ValueError(f"questions must be packed into a batch of 1 to share a prefix, got a batch of {len(query)}")
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    layer: int = module.layer_idx  # type: ignore[assignment]  # a tensor or a module, to torch
    stated = window_of(module.config, layer)
    rules, places, window = Rules.of(kwargs, type(module).__name__, stated), _places.get(), None
    if attention_mask is not None and attention_mask.shape[1] != 1:
        raise BadInput(f"{type(module).__name__} makes a mask for each head: no part of attention to a packed prefix")
    if turned is not None:
        if rules != Rules():
            raise BadInput(
                f"rope_strategy={turned.name} goes with plain attention alone, {type(module).__name__} has {rules}"
            )
        out = _in_segments(query[0], key[0], value[0], attention_mask, scaling, module, turned)
        return out.to(query.dtype).transpose(0, 1).unsqueeze(0), None
    assert prefix is not None  # nor is there a turning
    mask = _own_mask(attention_mask, query, key)
    if rules.window is not None:
        if places is None:
            raise ValueError(f"a window of {rules.window} tokens needs to know which tokens are fed: use placed()")
        window = places.window(rules.window, query.device)
        if not window.cuts:
            window = None
        elif mask is None:
            mask = window.seen
        else:
            mask = mask & window.seen if mask.dtype == torch.bool else mask.masked_fill(~window.seen, -torch.inf)
    if (tell := observer.get()) is not None:
        if window is not None or rules.softcap is not None:
            raise BadInput(f"attention KL is of plain softmax attention over the whole prefix, got {rules}")
        tell(layer, query[0], key[0], value[0], attention_mask, scaling, ())
    from_prefix = prefix_attention(query[0], prefix.layers[layer], scaling, rules.softcap, window)
    if rules.softcap is None:
        from_own = fused_attention(query[0], key[0], value[0], scaling, mask)
    else:
        from_own = attend(query[0], key[0], value[0], scaling, mask, rules.softcap)
    out, _ = merge(*from_prefix, *from_own)
    return out.to(query.dtype).transpose(0, 1).unsqueeze(0), None


def _in_segments(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scaling: float, module: nn.Module, turned: Turning
) -> Tensor:
    """Out (H, R, d) under a rotation in segments: of a whole sequence in prefill, of questions beside a prefix."""
    turned.was_read, layer = True, cast(int, module.layer_idx)
    if getattr(module, "use_rope", True) in (0, False):
        raise BadInput(f"rope_strategy={turned.name} needs RoPE in every layer, layer {layer} of this model has none")
    if q.shape[2] != 2 * len(turned.inv_freq):
        rotated = 2 * len(turned.inv_freq)
        raise BadInput(f"rope_strategy={turned.name} turns whole heads, this model {rotated} of {q.shape[2]} channels")
    prefix, places = _active.get(), _places.get()
    if places is None:
        raise ValueError(f"rope_strategy={turned.name} needs to know which tokens are fed: use placed()")
    parts = turned.parts(places, q.device)
    if prefix is None:
        if q.shape[1] != k.shape[1]:
            raise ValueError(f"a sequence is prefilled at once, got {q.shape[1]} rows and {k.shape[1]} keys")
        return over_sequence(q, k, v, scaling, parts)[0]
    if (tell := observer.get()) is not None:
        tell(layer, q, k, v, mask, scaling, parts)
    own = None if mask is None else mask[0, 0]
    return merged([*over_prefix(q, prefix.layers[layer], scaling, parts), *over_own(q, k, v, scaling, own, parts)])[0]


def _own_mask(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """(R, T). transformers leaves it out where sdpa's causal flag says the same: one row, or as many rows as keys."""
    if mask is not None:
        return mask[0, 0]
    rows, keys = query.shape[2], key.shape[2]
    return None if rows == 1 else torch.ones(rows, keys, dtype=torch.bool, device=query.device).tril(keys - rows)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
