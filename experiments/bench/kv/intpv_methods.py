"""Ours: a prefix packed by one of conf/kv_quant, decoded by one of the paths behind prefix_attention."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from intpv.attention.prefix import prefix_attention
from intpv.hf.attention import attending_to, attention, use
from intpv.hf.cache import QuestionCache
from intpv.kv_quant.kv_quant import KVQuant, Layers
from intpv.kv_quant.packed import PackedPrefix
from intpv.options import option
from intpv.video_llm.context import Prefill
from intpv.video_llm.video_llm import VideoLLM

from .prefix import Specimen


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
        return torch.stack([answer.kept_logits for answer in llm.ask(llm.pack(prefill), questions)])


class Packed:
    """A packed prefix, and the keys of what is decoded after it."""

    def __init__(self, packed: PackedPrefix, chosen: KVQuant):
        self.held, self.policy, self.past = packed, chosen, QuestionCache()
        self.modules = [_Numbered(layer) for layer in range(len(packed.layers))]

    def by(self, decode: str) -> "Packed":
        """The same storages, read by another path."""
        layers = [replace(layer, decode=decode) for layer in self.held.layers]
        return Packed(replace(self.held, layers=layers), self.policy)

    def closed_form(self, specimen: Specimen) -> int:
        """What the policy says that the prefix comes to, in bytes."""
        keys = specimen.layers[0][0]
        kv_heads, length, head_dim = keys.shape
        return self.policy.closed_form_bytes(
            layers=len(specimen.layers),
            kv_heads=kv_heads,
            head_dim=head_dim,
            length=length,
            element_size=keys.element_size(),
            layout=specimen.layout,
        )

    def dense(self) -> Layers:
        """What attention sees of the prefix."""
        found = []
        for layer in self.held.layers:
            keys, values = zip(*layer.blocks(), strict=True)
            found.append((torch.cat(keys, 1), torch.cat(values, 1)))
        return found

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


class _Numbered(nn.Module):
    """What intpv.hf.attention asks of a decoder's attention: which layer it is."""

    def __init__(self, layer: int):
        super().__init__()
        self.layer_idx, self.config = layer, PreTrainedConfig()
