"""Packing rules: which tokens of a prefix each layer keeps, how they are packed, and in how many bytes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.attention.rules import window_of
from intpv.errors import BadInput
from intpv.kv_evict.kv_evict import KVEvict, LayerTokens, frames_and_places
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.kv_quant import KVQuant, NoQuant, Packing
from intpv.kv_quant.origin import Origin
from intpv.kv_quant.packed import PackedPrefix
from intpv.layout import Layout
from intpv.model.model import Model
from intpv.rope_strategy.rotation import Rotation


@dataclass(frozen=True)
class PackingRules:
    """What of a Video-LLM shapes the packed prefix, once its layers are prefilled."""

    model: Model
    kv_quant: KVQuant | NoQuant
    kv_evict: KVEvict | NoEvict

    def check(self) -> None:
        """BadInput where what a layer is left could not be packed, or not be attended to."""
        if isinstance(self.kv_evict, NoEvict):
            return
        named, config = f"kv_evict={self.kv_evict.name}", self.model.decoder.config.get_text_config(decoder=True)
        if getattr(self.kv_quant, "groups_frames", False) and not self.kv_evict.whole_frames:
            raise BadInput(f"temporal groups need whole frames, {named} keeps tokens: kv_evict.whole_frames=true")
        windows = [window_of(config, layer) for layer in range(config.num_hidden_layers)]
        if window := next(filter(None, windows), None):
            raise BadInput(
                f"{named} leaves each layer tokens of its own, {self.model.name} counts them in a window of {window}"
            )

    def nbytes(self, layout: Layout, count: int | None = None) -> int:
        """Of a packed prefix, before there is one; `count` where each layer is left so many of its tokens."""
        llm, layers = self.model.llm, self.model.decoder.get_submodule("layers")
        shape, kept = llm.config.get_text_config(), layout if count is None else _shortened(layout, count)
        return self.kv_quant.closed_form_bytes(
            layers=shape.num_hidden_layers,
            kv_heads=shape.num_key_value_heads,
            head_dim=getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads,
            length=kept.length,
            layout=kept,
            element_size=llm.dtype.itemsize,
            devices=len({weight.device for weight in layers.parameters()}),
            **({} if count is None else {"evicted": True}),
        )

    def capacity(self, layout: Layout) -> int | None:
        """How many tokens each layer is left; None: all. BadInput as `KVEvict.capacity` says."""
        if isinstance(self.kv_evict, NoEvict):
            return None
        length = layout.length
        return self.kv_evict.capacity(layout, lambda count: self.nbytes(layout, None if count == length else count))

    def begin(self, rotation: Rotation, origin: Callable[[], Origin], video_id: str) -> "PrefixPacking":
        """For the layers of one prefix. BadInput for a strategy that counts the keys before a query."""
        layout, count = rotation.layout, self.capacity(rotation.layout)
        layers = self.model.decoder.config.get_text_config(decoder=True).num_hidden_layers
        if count is None or isinstance(self.kv_evict, NoEvict):
            return PrefixPacking(self.kv_quant.packing(layout, rotation.unrotation, layers, origin))
        if rotation.partition is not None:
            raise BadInput(
                f"kv_evict={self.kv_evict.name} goes with one rotation of all keys, rope_strategy="
                f"{rotation.strategy.name} places them before each query"
            )
        angles, text = rotation.unrotation, layout.length - layout.visual_length
        packing = self.kv_quant.packing(_shortened(layout, count), angles, layers, origin)
        return PrefixPacking(packing, Cut(self.kv_evict, layout, angles, count - text, video_id))


def _shortened(layout: Layout, count: int) -> Layout:
    """A layout of `count` tokens, all text among them: as long as what each layer is left, and not where it stands."""
    left, spans = count - (layout.length - layout.visual_length), []
    for span in layout.spans:
        spans.append(replace(span, length=min(span.length, left)) if span.is_frame else span)
        left -= spans[-1].length if span.is_frame else 0
    return Layout(tuple(span for span in spans if span.length))


@dataclass(eq=False)
class Cut:
    """What `rule` leaves of each layer of one prefix: all text and `visual` other tokens."""

    rule: KVEvict
    layout: Layout
    angles: Float[Tensor, "S half"] | None
    visual: int
    video_id: str

    def __post_init__(self) -> None:
        self.frames, self.places = frames_and_places(self.layout)

    def kept(self, index: int, keys: Tensor, values: Tensor) -> Int[Tensor, " n"]:
        """Of a layer's tokens, on its device."""
        there = partial(torch.Tensor.to, device=keys.device)
        tokens = torch.arange(self.layout.length, device=keys.device)
        layer = LayerTokens(
            index, keys, values, tokens, there(self.frames), there(self.places), self.angles, self.video_id
        )
        return self.rule.keep(layer, self.visual)


@dataclass(eq=False)
class PrefixPacking:
    """One prefix, layer by layer: each is cut, where there is a cut, and packed."""

    packing: Packing
    cut: Cut | None = None

    def __post_init__(self) -> None:
        self.kept: list[Tensor] = []

    def add(self, keys: Float[Tensor, "H_kv S d"], values: Float[Tensor, "H_kv S d"]) -> None:
        """The next layer. BadInput as `KVQuant.pack` says, and `KVEvict.scores`."""
        if self.cut is None:
            self.packing.add(keys, values)
            return
        tokens = self.cut.kept(len(self.kept), keys, values)
        self.kept.append(torch.zeros(keys.shape[1], dtype=torch.bool).index_fill_(0, tokens.cpu(), value=True))
        self.packing.add(keys[:, tokens], values[:, tokens], tokens)

    def done(self) -> PackedPrefix:
        """Of all layers that were added."""
        packed = self.packing.done()
        return replace(packed, kept=torch.stack(self.kept)) if self.kept else packed
