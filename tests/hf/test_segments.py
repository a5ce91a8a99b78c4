"""Strategies that change attention against the definition of each: every pair's own distance, densely and in float64."""

from dataclasses import dataclass
from functools import cache

import pytest
import torch
from transformers import DynamicCache

from intpv.attention import compiled
from intpv.errors import BadInput
from intpv.hf.attention import attending_to, placed, use
from intpv.hf.cache import QuestionCache, handed, layers_of
from intpv.hf.rotary import applied, prefilling
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span
from intpv.rope_strategy.dual_chunk import DualChunk
from intpv.rope_strategy.log_n import LogN
from intpv.rope_strategy.own_rope import own_rope
from intpv.rope_strategy.rerope import ReRoPE
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.self_extend import SelfExtend
from intpv.rope_strategy.strategy import RopeStrategy

from ..tiny import tiny_llama
from .distances import ByDistance, dual_chunks, plain, rectified, self_extended, sharper, unrotated

L, S, ASKED = 32, 101, 9  # trained length, prefix and question in tokens
FACTOR = 4.0
JUDGES = {  # a strategy, each pair's distance, what queries are multiplied by and logits besides
    "self_extend": (SelfExtend(), self_extended(8, 5), None, 1.0),
    "self_extend 12 and 8": (SelfExtend(near=12, group=8), self_extended(12, 8), None, 1.0),
    "self_extend near 1": (SelfExtend(near=1, group=3), self_extended(1, 3), None, 1.0),
    "rerope": (ReRoPE(), rectified(4, 0.0), sharper(L), 1.0),
    "leaky rerope": (ReRoPE(near=10, step=0.125, log_n=False), rectified(10, 0.125), None, 1.0),
    "rerope of all": (ReRoPE(near=300, log_n=False), plain, None, 1.0),
    "dual_chunk": (DualChunk(temperature=1), dual_chunks(20, 24), None, 1.0),
    "dual_chunk sharpened": (DualChunk(), dual_chunks(20, 24), None, 1.069314718055994530942**4),
    "log_n": (LogN(temperature=1.1), plain, sharper(L), 1.1**4),
}
POLICIES = {
    "none": NoQuant(),
    "int8": KVQuant(bits=8, key_group=16, value_group=8),
    "int2": KVQuant(bits=2, key_group=16, value_group=8),
    "before rope": KVQuant(bits=4, key_group=16, value_group=8, pre_rope=True, sinks=3, tail=5),
}


@dataclass(frozen=True)
class Read:
    """A prefix that was read, and what the judge makes of it."""

    rotation: Rotation
    layers: list
    judge: ByDistance
    past: list


@cache
def llama():
    return tiny_llama(num_key_value_heads=1, hidden_size=64, initializer_range=0.3)


def ids(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(50, (count,), generator=torch.Generator().manual_seed(seed))


@cache
def read(name: str, length: int = S) -> Read:
    strategy, distance, sharpness, square = JUDGES[name]
    layout, decoder = Layout((Span(length),)), llama().get_decoder()
    rotation = Rotation(strategy, layout, own_rope(decoder.rotary_emb, L), FACTOR)
    cache = DynamicCache()
    with torch.inference_mode(), prefilling(decoder, decoder.rotary_emb, rotation, "sdpa"):
        decoder(ids(length)[None], position_ids=torch.arange(length)[None], **handed(decoder, cache))
    more = {} if sharpness is None else {"sharpness": sharpness}
    judge = ByDistance(llama(), distance, square=square, **more)
    return Read(rotation, layers_of(cache), judge, judge.read(judge.model.get_input_embeddings()(ids(length)))[1])


def asked(prefix, rotation: Rotation, pieces: list[int]) -> torch.Tensor:
    """Logits of a question that is fed in pieces."""
    decoder, cache, found = llama().get_decoder(), QuestionCache(), []
    start, question = rotation.layout.length, ids(sum(pieces), seed=1)
    for begin, count in zip(torch.tensor([0, *pieces]).cumsum(0).tolist(), pieces, strict=False):
        tokens = torch.arange(start, start + begin + count)
        with (
            torch.inference_mode(),
            use(decoder),
            applied(decoder.rotary_emb, rotation, range(start + begin, start + begin + count)),
            attending_to(prefix),
            placed(tokens[begin:], tokens),
        ):
            hidden = decoder(
                question[None, begin : begin + count],
                position_ids=tokens[None, begin:],
                attention_mask=torch.ones(count, begin + count, dtype=torch.bool).tril(begin)[None, None],
                **handed(decoder, cache),
            ).last_hidden_state[0]
            found.append(llama().get_output_embeddings()(hidden))
    return torch.cat(found)


def judged(read: Read, prefix) -> torch.Tensor:
    """The judge's logits on keys and values as the prefix hands them out."""
    angles, scale = read.rotation.unrotation, read.rotation.scale
    past = []
    for layer in prefix.layers:
        keys, values = (torch.cat(x, 1) for x in zip(*layer.blocks(), strict=True))
        past.append((unrotated(keys, angles, scale), values.double()))
    return read.judge.read(read.judge.model.get_input_embeddings()(ids(ASKED, seed=1)), past)[0]


def close(a: torch.Tensor, b: torch.Tensor, atol: float = 1e-4) -> None:
    torch.testing.assert_close(a.double(), b.double(), atol=atol, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 33, S])
@pytest.mark.parametrize("name", JUDGES)
def test_prefill_is_the_definition(name, length):
    found = read(name, length)
    scale = found.rotation.scale
    for (keys, values), (k, v) in zip(found.layers, found.past, strict=True):
        close(unrotated(keys, found.rotation.unrotation, scale), k)
        close(values, v)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", JUDGES)
def test_a_question_after_a_prefix_is_the_definition(name, policy):
    found = read(name)
    packed = POLICIES[policy].pack(found.layers, found.rotation.layout, found.rotation.unrotation)
    expected = judged(found, packed)
    for pieces in ([ASKED], [4, 5], [1] * ASKED):
        close(asked(packed, found.rotation, pieces), expected)
