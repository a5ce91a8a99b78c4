"""Packing rules: which tokens of a prefix each layer keeps, how they are packed, and in how many bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import Cache, PreTrainedModel

from intpv.attention.rules import prefilled_by, window_of
from intpv.errors import BadInput
from intpv.hf.cache import layers_of, shorten
from intpv.kv_evict.kv_evict import KVEvict, LatestQueries, LayerTokens, frames_and_places
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.growing import Growing
from intpv.kv_quant.kv_quant import KVQuant, NoQuant, Packing
from intpv.kv_quant.origin import Origin
from intpv.kv_quant.packed import Layers, PackedPrefix
from intpv.layout import Layout
from intpv.rope_strategy.rotation import Rotation
from intpv.video_llm.passes import Passes


@dataclass(frozen=True)
class PackingRules:
    """What of a Video-LLM shapes the packed prefix, once its layers are prefilled."""

    decoder: PreTrainedModel
    name: str  # of the model
    kv_quant: KVQuant | NoQuant
    kv_evict: KVEvict | NoEvict

    def check(self, passes: Passes) -> None:
        """BadInput where what a layer is left, or a pass of it, could not be packed, or not be attended to."""
        if isinstance(self.kv_quant, KVQuant):
            self.kv_quant.quantised_layers(self.decoder.config.get_text_config(decoder=True).num_hidden_layers)
        if passes.pack == "early":
            _ = self.kv_quant.step  # where groups end, if they do
        if isinstance(self.kv_evict, NoEvict):
            return
        if passes.pack == "early":
            raise BadInput(
                f"passes.pack=early packs tokens once and for all, kv_evict={self.kv_evict.name} takes some out again; "
                f"kv_evict.early=true with passes.pack=late bounds what later passes read"
            )
        if self.kv_evict.early and passes.prefill_tokens is None:
            raise BadInput("kv_evict.early=true cuts after every pass of a prefill, got passes.prefill_tokens=null")
        named, config = f"kv_evict={self.kv_evict.name}", self.decoder.config.get_text_config(decoder=True)
        if getattr(self.kv_quant, "groups_frames", False) and not self.kv_evict.whole_frames:
            raise BadInput(f"temporal groups need whole frames, {named} keeps tokens: kv_evict.whole_frames=true")
        if self.kv_evict.observers and (read_by := prefilled_by(self.decoder)) != "sdpa":
            raise BadInput(
                f"{named} looks at queries, which are told where sdpa attention reads a prefix; {read_by} reads "
                f"{self.name}'s"
            )
        windows = [window_of(config, layer) for layer in range(config.num_hidden_layers)]
        if window := next(filter(None, windows), None):
            raise BadInput(
                f"{named} leaves each layer tokens of its own, {self.name} counts them in a window of {window}"
            )

    def nbytes(self, layout: Layout, count: int | None = None) -> int:
        """Of a packed prefix, before there is one; `count` where each layer is left so many of its tokens."""
        shape, layers = self.decoder.config.get_text_config(decoder=True), self.decoder.get_submodule("layers")
        quantised = [layer for index, layer in enumerate(layers.children()) if index not in self.kv_quant.skip_layers]
        kept = layout if count is None else _shortened(layout, count)
        return self.kv_quant.closed_form_bytes(
            layers=shape.num_hidden_layers,
            kv_heads=shape.num_key_value_heads,
            head_dim=getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads,
            length=kept.length,
            layout=kept,
            element_size=self.decoder.dtype.itemsize,
            devices=len({weight.device for layer in quantised for weight in layer.parameters()}),
            evicted=count is not None,
        )

    def capacity(self, layout: Layout) -> int | None:
        """How many tokens each layer is left; None: all. BadInput as `KVEvict.capacity` says."""
        if isinstance(self.kv_evict, NoEvict):
            return None
        length = layout.length
        return self.kv_evict.capacity(layout, lambda count: self.nbytes(layout, None if count == length else count))

    def cut(self, rotation: Rotation, video_id: str, queries: LatestQueries | None = None) -> "Cut | None":
        """What each layer of one prefix is left; None: all. BadInput for a strategy that counts the keys before a
        query.
        """
        layout, count = rotation.layout, self.capacity(rotation.layout)
        if count is None or isinstance(self.kv_evict, NoEvict):
            return None
        if rotation.partition is not None:
            raise BadInput(
                f"kv_evict={self.kv_evict.name} goes with one rotation of all keys, rope_strategy="
                f"{rotation.strategy.name} places them before each query"
            )
        return Cut(self.kv_evict, layout, rotation.unrotation, count, video_id, queries)

    def early(self, rotation: Rotation, video_id: str, queries: LatestQueries | None = None) -> "Cut | None":
        """As `cut`, where it is made as a prefix is read."""
        return self.cut(rotation, video_id, queries) if getattr(self.kv_evict, "early", False) else None

    def growing(self, rotation: Rotation, origin: Callable[[], Origin]) -> Growing:
        """For a prefix that is packed after every pass."""
        layers = self.decoder.config.get_text_config(decoder=True).num_hidden_layers
        return self.kv_quant.growing(rotation.layout, rotation.unrotation, layers, origin)

    def queries(self) -> LatestQueries | None:
        """Where those of a prefix are to be kept as it is read; None: the rule looks at none."""
        most = 0 if isinstance(self.kv_evict, NoEvict) else self.kv_evict.observers
        return LatestQueries(most) if most else None

    def begin(
        self,
        rotation: Rotation,
        origin: Callable[[], Origin] | None,
        video_id: str,
        queries: LatestQueries | None = None,
    ) -> "PrefixPacking":
        """For the layers of one prefix; `queries` are its own, where they are kept. BadInput as `cut` says."""
        cut = self.cut(rotation, video_id, queries)
        layout = rotation.layout if cut is None else _shortened(rotation.layout, cut.count)
        layers = self.decoder.config.get_text_config(decoder=True).num_hidden_layers
        return PrefixPacking(self.kv_quant.packing(layout, rotation.unrotation, layers, origin), cut)


def _shortened(layout: Layout, count: int) -> Layout:
    """A layout of `count` tokens, all text among them: as long as what each layer is left, and not where it stands."""
    left, spans = count - (layout.length - layout.visual_length), []
    for span in layout.spans:
        spans.append(replace(span, length=min(span.length, left)) if span.is_frame else span)
        left -= spans[-1].length if span.is_frame else 0
    return Layout(tuple(span for span in spans if span.length))


@dataclass(eq=False)
class Cut:
    """What `rule` leaves of each layer of one prefix: `count` tokens, all text among them."""

    rule: KVEvict
    layout: Layout
    angles: Float[Tensor, "S half"] | None
    count: int
    video_id: str
    queries: LatestQueries | None = None

    def __post_init__(self) -> None:
        self.frames, self.places = frames_and_places(self.layout)
        self.read, self.kept = 0, list[Tensor]()  # of a prefix that is cut as it is read: tokens, and each layer's

    def left(self, index: int, keys: Tensor, values: Tensor, tokens: Int[Tensor, " n"]) -> Int[Tensor, " left"]:
        """Which of a layer's tokens stay, of these that it holds; all where they are few."""
        there, frames, places = (each.to(keys.device) for each in (tokens, self.frames[tokens], self.places[tokens]))
        layer = LayerTokens(index, keys, values, there, frames, places, self.angles, self.video_id)
        if self.queries is not None:
            layer = replace(layer, queries=self.queries.layers[index], scaling=self.queries.scalings[index])
        return self.rule.keep(layer, self.count - (self.layout.length - self.layout.visual_length))

    def shorten(self, cache: Cache, stop: int) -> None:
        """Every layer of a cache that has read the prefix as far as token `stop`; the later text's room is kept free.

        Layers hold no more than `count` tokens and a pass then.
        """
        new = torch.arange(self.read, stop)
        for index, (keys, values) in enumerate(layers_of(cache)):
            tokens = torch.cat([self.kept[index], new]) if self.read else new
            left = self.left(index, keys, values, tokens)
            if len(left) < len(tokens):
                shorten(cache, index, left)
            self.kept[index : index + 1] = [tokens[left.cpu()]]
        self.read = stop


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
        left = self.cut.left(len(self.kept), keys, values, torch.arange(keys.shape[1]))
        self._take(keys[:, left], values[:, left], left)

    def done(self) -> PackedPrefix:
        """Of all layers that were added."""
        packed = self.packing.done()
        return replace(packed, kept=torch.stack(self.kept)) if self.kept else packed

    def of(self, layers: Layers, kept: Sequence[Tensor] | None) -> PackedPrefix:
        """Of layers that are all there; `kept` are each one's tokens, where it has been cut."""
        for index, (keys, values) in enumerate(layers):
            if kept is None:
                self.add(keys, values)
            else:
                self._take(keys, values, kept[index])
        return self.done()

    def _take(self, keys: Tensor, values: Tensor, tokens: Int[Tensor, " n"]) -> None:
        assert self.cut is not None
        whole = torch.zeros(self.cut.layout.length, dtype=torch.bool)
        self.kept.append(whole.index_fill_(0, tokens.cpu(), value=True))
        self.packing.add(keys, values, tokens)
