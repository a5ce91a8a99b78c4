"""Rules: what a decoder asks of attention beside softmax(q k), and what of that is refused before anything runs.

A sliding window and soft-capping are applied; whatever else a decoder states or hands on is refused by its name, for
attention that leaves it out gives other logits without a sign of it.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import PreTrainedModel

from intpv.errors import BadInput

T = TypeVar("T")
LAYER_TYPES = ("full_attention", "sliding_attention")
# keywords on their way through the layers that say nothing of attention, or what masks and places say here
SAYS_NOTHING = (
    "position_ids",
    "cache_position",
    "use_cache",
    "return_dict",
    "is_causal",
    "logits_to_keep",
    "labels",
    "num_items_in_batch",
)


@dataclass(frozen=True)
class Rules:
    """Of one layer. `window` in tokens: a token sees itself and window - 1 before it; None: all of them."""

    window: int | None = None
    softcap: float | None = None  # c: logits become c tanh(logits / c)

    @classmethod
    def of(cls, given: Mapping[str, Any], layer: str, window: int | None = None) -> "Rules":
        """Out of the keywords that transformers hands to attention, and the layer's window by its config: some models,
        Qwen2-MoE for one, say it by their mask alone. BadInput for a keyword that is not applied, and for a window that
        is not the config's.
        """
        rest = {name: value for name, value in given.items() if value is not None and value is not False}
        rules = cls(window, rest.pop("softcap", None))
        if (handed := rest.pop("sliding_window", window)) != window:
            raise BadInput(f"{layer} asks attention for a window of {handed} tokens, its config says {window}")
        if unknown := sorted(rest.keys() - set(SAYS_NOTHING)):
            raise BadInput(f"{layer} asks attention for {', '.join(unknown)}: no part of attention to a packed prefix")
        return rules


@dataclass(frozen=True)
class Window:
    """What each row sees through a sliding window, on one device."""

    first: Int[Tensor, " R"]  # the first token of the sequence; not above 0: all of it
    seen: Bool[Tensor, "R T"]  # of the questions' own keys
    lowest: int  # of first
    highest: int

    @property
    def cuts(self) -> bool:
        """Whether a row does not see all of the sequence before it."""
        return self.highest > 0


@dataclass(frozen=True)
class Places:
    """Which token of the sequence each row and each of the questions' own keys is."""

    rows: Int[Tensor, " R"]
    keys: Int[Tensor, " T"]
    _made: dict[tuple[int, torch.device], Any] = field(default_factory=dict, init=False, repr=False)

    def window(self, length: int, device: torch.device) -> Window:
        """Made once for all layers of a device: it waits for the device, and layers may lie on several."""

        def made() -> Window:
            first = self.rows - length + 1
            lowest, highest = torch.stack(torch.aminmax(first)).tolist()
            return Window(first.to(device), (self.keys >= first[:, None]).to(device), lowest, highest)

        return self.once((length, device), made)

    def once(self, name: tuple[int, torch.device], make: Callable[[], T]) -> T:
        """What is made of these tokens, the same for all layers."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


def window_of(config: Any, layer: int) -> int | None:
    """Tokens that a layer sees, as transformers' masks and caches take it from a text model's config; None: all."""
    kinds = getattr(config, "layer_types", None)
    if kinds and kinds[layer] != "sliding_attention":
        return None
    return getattr(config, "sliding_window", None)


def _first_window(config: Any) -> int | None:
    return next(filter(None, (window_of(config, layer) for layer in range(config.num_hidden_layers))), None)


def check_decoder(decoder: PreTrainedModel, decode: str = "auto") -> None:
    """BadInput where attention to a packed prefix would not be this decoder's, read off its config and modules.

    `decode` is the path that kv_quant asks for: compiled and triton read plain attention alone.
    """
    config, name = decoder.config.get_text_config(decoder=True), type(decoder).__name__
    kinds = getattr(config, "layer_types", None) or ()
    if other := sorted(set(kinds) - set(LAYER_TYPES)):
        raise BadInput(
            f"{name} has layers of {', '.join(other)}: attention to a packed prefix knows {' and '.join(LAYER_TYPES)}"
        )
    if rank := getattr(config, "kv_lora_rank", None):
        raise BadInput(f"{name} caches latents of {rank} channels (kv_lora_rank), no keys and values to quantise")
    window = _first_window(config)
    if window and not hasattr(sys.modules[type(decoder).__module__], "create_sliding_window_causal_mask"):
        raise BadInput(
            f"{name}'s config has sliding_window={window}, which transformers' masks of it leave out: what it answers "
            "would depend on the attention implementation, set sliding_window=null"
        )
    if shared := getattr(config, "num_kv_shared_layers", 0):
        raise BadInput(
            f"{name} shares keys and values between layers (num_kv_shared_layers={shared}): each must have its own"
        )
    if both := getattr(config, "use_bidirectional_attention", None):
        raise BadInput(f"{name} lets tokens see later ones (use_bidirectional_attention={both}): a prefix knows none")
    if any(isinstance(getattr(module, "sinks", None), Tensor) for module in decoder.modules()):
        raise BadInput(f"{name} has attention sinks, which attention to a packed prefix has not")
    if not decoder._can_set_attn_implementation():
        raise BadInput(f"{name} does not use transformers' AttentionInterface: its questions would see no video")
    if decode in ("compiled", "triton") and (stated := beyond_plain(decoder)):
        raise BadInput(f"kv_quant.decode={decode} cannot be run: {name} has {stated}, which only eager and auto apply")


def prefilled_by(decoder: PreTrainedModel) -> str:
    """The implementation of transformers that prefills: the decoder's own, but eager instead of an sdpa that leaves a
    soft cap out without a word, as it does before transformers 5.22.
    """
    config, chosen = decoder.config.get_text_config(decoder=True), decoder.config._attn_implementation
    return "eager" if chosen == "sdpa" and getattr(config, "attn_logit_softcapping", None) is not None else chosen


def beyond_plain(decoder: PreTrainedModel, length: int | None = None) -> str | None:
    """What attention is beside softmax over all tokens, in words; None where it is that in every layer, or at least for
    a sequence of `length` tokens."""
    config = decoder.config.get_text_config(decoder=True)
    if (softcap := getattr(config, "attn_logit_softcapping", None)) is not None:
        return f"soft-capped logits (attn_logit_softcapping={softcap:g})"
    window = _first_window(config)
    if window is None or (length is not None and length <= window):
        return None
    return f"a sliding window of {window} tokens"
