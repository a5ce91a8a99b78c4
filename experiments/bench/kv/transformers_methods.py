"""Theirs: the caches of transformers, each used as a decoder uses it: the prefix first, then token by token."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import gcd

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import Cache, DynamicCache, LlamaConfig, PreTrainedModel, QuantizedCache, StaticCache

from intpv.errors import BadInput
from intpv.hf.cache import handed
from intpv.hf.rotary import applied
from intpv.kv_quant.kv_quant import Layers
from intpv.video_llm.context import Prefill
from intpv.video_llm.video_llm import VideoLLM

from .prefix import Specimen

ROOM = 120  # tokens that are decoded at most: QuantizedCache quantises everything anew at the 128th
GROUP = 64  # of QuantizedCache by default

Make = Callable[[LlamaConfig, int], Cache]  # the model's shape, the tokens to preallocate


@dataclass(frozen=True)
class Theirs:
    """A method: how to hold a prefix. `across_tokens`: groups reach over tokens, and must fit into H_kv * S.

    It is run on prefixes of at most `most_tokens`.
    """

    make: Make
    across_tokens: bool = False
    most_tokens: int | None = None
    is_peer = True

    def fits(self, specimen: Specimen) -> bool:
        """Whether it is run on that many tokens at all."""
        return self.most_tokens is None or specimen.layout.length <= self.most_tokens

    def hold(self, specimen: Specimen, room: int) -> "Cached":
        """`room`: the tokens to be decoded, for which a preallocated cache has memory from the start."""
        return self._hold(specimen.layers, room)

    def _hold(self, layers: Layers, room: int) -> "Cached":
        heads, length, head_dim = layers[0][0].shape
        # without padding quanto refuses most prompts; a repeated last token widens no group
        padding = -length % (GROUP // gcd(GROUP, heads)) if self.across_tokens else 0
        config = LlamaConfig(
            hidden_size=heads * head_dim,
            num_hidden_layers=len(layers),
            num_attention_heads=heads,
            num_key_value_heads=heads,
            head_dim=head_dim,
        )
        cache = self.make(config, length + padding + room)
        for layer, (keys, values) in enumerate(layers):
            cache.update(_padded(keys, padding)[None], _padded(values, padding)[None], layer)
        return Cached(cache, length, padding, layers[0][0].new_zeros(1, heads, 1, head_dim))

    def answers(self, video_llm: VideoLLM, prefill: Prefill, questions: Sequence[str]) -> Float[Tensor, "Q vocabulary"]:
        """Logits of each answer's first token: each question is fed to a cache that holds the prefix."""
        length, model = prefill.layout.length, video_llm.model
        ids = [
            model.tokenizer(model.prompt.question(text), add_special_tokens=False, return_tensors="pt").input_ids
            for text in questions
        ]
        after = range(length, length + max(row.shape[1] for row in ids))
        found = []
        with applied(model.rotary, prefill.rotation, after):
            for row in ids:
                held, fed = self._hold(prefill.layers, row.shape[1]), row.shape[1]
                hidden = model.decoder(
                    input_ids=row.to(video_llm.device),
                    position_ids=torch.tensor([after[:fed]], device=video_llm.device),
                    attention_mask=held.mask(fed).to(video_llm.device),
                    **handed(model.decoder, held.held),
                ).last_hidden_state[0, -1]
                found.append(model.llm.get_output_embeddings()(hidden))
        return torch.stack(found)


class Cached:
    """A cache of transformers that holds a prefix."""

    def __init__(self, cache: Cache, length: int, padding: int, token: Float[Tensor, "1 H_kv 1 d"]):
        self.held, self.length, self.padding = cache, length, padding
        self.token = token  # one to feed where it does not matter which
        self.fed = [0] * len(cache.layers)  # tokens per layer since

    def mask(self, fed: int) -> Float[Tensor, "1 S"]:
        """1 for every token but the padding."""
        mask = torch.ones(1, self.length + self.padding + fed)
        mask[:, self.length : self.length + self.padding] = 0
        return mask

    def dense(self) -> Layers:
        """What attention sees of the prefix from the second update on: the first one hands back what it was given."""
        found = []
        for layer in range(len(self.held.layers)):
            keys, values = self.held.update(self.token, self.token, layer)
            self.fed[layer] += 1
            found.append((keys[0, :, : self.length], values[0, :, : self.length]))
        return found

    def step(
        self, layer: int, q: Float[Tensor, "1 H 1 d"], k: Float[Tensor, "1 H_kv 1 d"], v: Float[Tensor, "1 H_kv 1 d"]
    ) -> Float[Tensor, "1 H 1 d"]:
        """Append one token to a layer and attend to all."""
        if self.padding:
            raise BadInput(f"a step needs a prefix that groups of {GROUP} fit, got {self.padding} tokens of padding")
        self.fed[layer] += 1
        keys, values = (x[:, :, : self.length + self.fed[layer]] for x in self.held.update(k, v, layer))
        return scaled_dot_product_attention(q, keys, values, enable_gqa=q.shape[1] != k.shape[1])

    @property
    def past(self) -> Cache:
        """What a decoder is fed with."""
        return self.held

    def around(self, decoder: PreTrainedModel) -> AbstractContextManager:
        return nullcontext()


def _padded(x: Float[Tensor, "H S d"], padding: int) -> Float[Tensor, "H _ d"]:
    return torch.cat([x, x[:, -1:].expand(-1, padding, -1)], 1) if padding else x


def dynamic(config: LlamaConfig, tokens: int) -> Cache:
    return DynamicCache()


def preallocated(config: LlamaConfig, tokens: int) -> Cache:
    return StaticCache(config, max_cache_len=tokens)


def fp8(config: LlamaConfig, tokens: int) -> Cache:
    return QuantizedCache("fp8", config)


def quantised(backend: str, bits: int, axis_key: int, axis_value: int) -> Make:
    fields = {"nbits": bits, "axis_key": axis_key, "axis_value": axis_value, "q_group_size": GROUP}
    return lambda config, tokens: QuantizedCache(backend, config, **fields)
