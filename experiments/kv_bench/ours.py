"""Ours: a prefix packed by one of conf/kv_quant, decoded by one of the paths behind prefix_attention."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from intpv.attention.interface import attending_to, attention, use
from intpv.attention.prefix import prefix_attention
from intpv.kv_quant.cache import QuestionCache
from intpv.kv_quant.kv_quant import KVQuant, Layers
from intpv.kv_quant.packed import PackedPrefix
from intpv.options import option
from intpv.video_llm import VideoLLM
from intpv.watched import Prefill

from .specimen import Specimen


@dataclass(frozen=True)
class Ours:
    """A method: how to hold a prefix. `changes` are to the option's fields."""

    option: str
    changes: tuple[tuple[str, object], ...] = ()
    is_peer = False

    def fits(self, specimen: Specimen) -> bool:
        return True

    def hold(self, specimen: Specimen, room: int) -> "Packed":
        """What is decoded later lies beside the prefix, which needs no `room` for it."""
        chosen = option("kv_quant", self.option, **dict(self.changes))
        return Packed(chosen.pack(specimen.layers, specimen.layout, specimen.angles), chosen)

    def answers(self, video_llm: VideoLLM, prefill: Prefill, questions: Sequence[str]) -> Float[Tensor, "Q vocabulary"]:
        """Logits of each answer's first token, asked of the packed prefix."""
        chosen = option("kv_quant", self.option, **dict(self.changes))
        llm = replace(video_llm, kv_quant=chosen, max_new_tokens=1)
        return torch.stack([answer.logits for answer in llm.ask(llm.pack(prefill), questions)])


class Packed:
    """A packed prefix, and the keys of what is decoded after it."""

    def __init__(self, packed: PackedPrefix, chosen: KVQuant):
        self.held, self.policy, self.past = packed, chosen, QuestionCache()
        self.modules = [_numbered(layer) for layer in range(len(packed.layers))]

    def by(self, decode: str) -> "Packed":
        """The same storages, read by another path."""
        layers = [replace(layer, decode=decode) for layer in self.held.layers]
        return Packed(replace(self.held, layers=layers), self.policy)

    def closed_form(self, specimen: Specimen) -> int:
        """What the policy says that the prefix comes to, in bytes."""
        keys = specimen.layers[0][0]
        shape = {"layers": len(specimen.layers), "kv_heads": keys.shape[0], "head_dim": keys.shape[2]}
        sizes = {"length": keys.shape[1], "element_size": keys.element_size(), "layout": specimen.layout}
        return self.policy.closed_form_bytes(**shape, **sizes)

    def dense(self) -> Layers:
        """What attention sees of the prefix."""
        return [tuple(torch.cat(side, 1) for side in zip(*layer.blocks(), strict=True)) for layer in self.held.layers]

    def step(
        self, layer: int, q: Float[Tensor, "1 H 1 d"], k: Float[Tensor, "1 H_kv 1 d"], v: Float[Tensor, "1 H_kv 1 d"]
    ) -> Float[Tensor, "1 H 1 d"]:
        """Append one token to a layer and attend to all: the model's own way, through intpv.attention."""
        keys, values = self.past.update(k, v, layer)
        with attending_to(self.held):
            return attention(self.modules[layer], q, keys, values, None, q.shape[-1] ** -0.5)[0].transpose(1, 2)

    def off_eager(self, q: Float[Tensor, "1 H 1 d"]) -> float:
        """The largest difference of this path's attention to the prefix from the reference path's."""
        scaling = q.shape[-1] ** -0.5
        outs = [prefix_attention(q[0], one.held.layers[0], scaling)[0] for one in (self, self.by("eager"))]
        return (outs[0] - outs[1]).abs().max().item()

    @contextmanager
    def around(self, decoder: PreTrainedModel) -> Iterator[None]:
        """Inside, the decoder fed with `past` attends to the prefix too."""
        with use(decoder), attending_to(self.held):
            yield


def _numbered(layer: int) -> nn.Module:
    module = nn.Module()
    module.layer_idx = layer
    return module
