"""Strategies that change attention against the definition of each: every pair's own distance, dense and in float64."""

import copy
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial

import pytest
import torch
from transformers import (
    DynamicCache,
    MistralConfig,
    MistralForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

from intpv.attention import compiled, prefix
from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.passes import local
from intpv.attention_kl.subject import Subject
from intpv.errors import BadInput
from intpv.hf.attention import attending_to, placed, turning, use
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

from ..tiny import tiny_llama
from .distances import (
    ByDistance,
    assert_measured_as_attended,
    dual_chunks,
    past_of,
    plain,
    rectified,
    self_extended,
    sharper,
    unrotated,
)

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
    "dual_chunk sharpened": (DualChunk(), dual_chunks(20, 24), None, (0.05 * math.log(4) + 1) ** 2),
    "log_n": (LogN(temperature=1.1), plain, sharper(L), 1.1**2),
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
    return tiny_llama(num_key_value_heads=1, hidden_size=64, initializer_range=0.2)


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


def asked(packed, rotation: Rotation, pieces: list[int]) -> torch.Tensor:
    """Logits of a question that is fed in pieces."""
    decoder, cache, found = llama().get_decoder(), QuestionCache(), []
    start, question = rotation.layout.length, ids(sum(pieces), seed=1)
    for begin, count in zip(torch.tensor([0, *pieces]).cumsum(0).tolist(), pieces, strict=False):
        tokens = torch.arange(start, start + begin + count)
        with (
            torch.inference_mode(),
            use(decoder),
            applied(decoder.rotary_emb, rotation, range(start + begin, start + begin + count)),
            attending_to(packed),
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


def judged(read: Read, packed) -> torch.Tensor:
    """The judge's logits on keys and values as the prefix hands them out."""
    past = past_of(packed, read.rotation)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "policy"),
    [(name, policy) for name in JUDGES for policy in ("none", "before rope")]
    + [(name, policy) for name in ("self_extend", "dual_chunk", "rerope") for policy in ("int8", "int2")],
)
def test_a_question_after_a_prefix_is_the_definition(name, policy):
    found = read(name)
    packed = POLICIES[policy].pack(found.layers, found.rotation.layout, found.rotation.unrotation)
    expected = judged(found, packed)
    for pieces in ([ASKED], [4, 5], *([[1] * ASKED] if policy == "none" else [])):
        close(asked(packed, found.rotation, pieces), expected)


@pytest.mark.parametrize("name", JUDGES)
def test_compiled_is_eager(name, monkeypatch):
    monkeypatch.setattr(compiled, "_of_its_own", lambda formula, *key: formula)
    monkeypatch.setattr(prefix, "broken_compiler", lambda device: None)
    found = read(name)
    eager, fused = (
        KVQuant(bits=4, key_group=16, value_group=8, pre_rope=True, decode=decode).pack(
            found.layers, found.rotation.layout, found.rotation.unrotation
        )
        for decode in ("eager", "compiled")
    )
    close(asked(fused, found.rotation, [ASKED]), asked(eager, found.rotation, [ASKED]))


@pytest.mark.parametrize("name", [name for name in JUDGES if name != "rerope of all"])
def test_it_is_not_plain_attention(name):
    """Nor is any strategy another: what the judge sees is seen."""
    found, plainly = read(name), ByDistance(llama(), plain)
    _, past = plainly.read(plainly.model.get_input_embeddings()(ids(S)))
    assert (found.past[-1][1] - past[-1][1]).abs().max() > 0.05


@pytest.mark.parametrize("policy", ["none", "int2"])
@pytest.mark.parametrize("name", JUDGES)
def test_attention_kl_reads_the_same_logits(name, policy):
    """The output that follows from them is the one that a layer hands on."""
    found, decoder = read(name), llama().get_decoder()
    packed = POLICIES[policy].pack(found.layers, found.rotation.layout, found.rotation.unrotation)
    rotated = partial(applied, decoder.rotary_emb, found.rotation)
    subject = Subject(decoder, packed, KeyGroups.of(found.rotation.layout), S, rotated)
    assert_measured_as_attended(subject, [ids(ASKED, seed=1), ids(5, seed=2)], atol=1e-4)
    kl = local(subject, packed, [ids(ASKED, seed=1)])
    assert kl.mean("kl/all").max() < 1e-6


@pytest.mark.parametrize("name", JUDGES)
def test_in_half_precision_it_is_rounded_about_as_plain_attention_is(name):
    """Keys and queries are rounded once more where they are turned on."""

    def off(name: str) -> float:
        found, low = read(name), copy.deepcopy(llama()).bfloat16().get_decoder()
        cache = DynamicCache()
        with torch.inference_mode(), prefilling(low, low.rotary_emb, found.rotation, "sdpa"):
            low(ids(S)[None], position_ids=torch.arange(S)[None], **handed(low, cache))
        return (layers_of(cache)[-1][1].double() - found.past[-1][1]).square().mean().sqrt().item()

    assert off(name) < 2 * off("rerope of all")


def test_nothing_is_left_behind():
    decoder, found = llama().get_decoder(), read("self_extend")
    before = vars(decoder.rotary_emb).copy(), decoder.config._attn_implementation
    with suppress(ZeroDivisionError), prefilling(decoder, decoder.rotary_emb, found.rotation, "sdpa"):
        assert turning.get() is not None
        _ = 1 / 0
    assert turning.get() is None
    assert (vars(decoder.rotary_emb), decoder.config._attn_implementation) == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in llama().modules())


SIZES = {"vocab_size": 50, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 2, "num_key_value_heads": 2, "pad_token_id": 0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8)), r"plain attention alone, .*window=8"),
        (lambda: PhiForCausalLM(PhiConfig(**SIZES)), "turns whole heads, this model 16 of 32 channels"),
        (
            lambda: SmolLM3ForCausalLM(SmolLM3Config(**SIZES, no_rope_layers=[1, 0])),
            "needs RoPE in every layer, layer 1 of this model has none",
        ),
    ],
    ids=["mistral", "phi", "smollm3"],
)
@torch.inference_mode()
def test_refuses_other_attention_by_name(make, message):
    decoder, layout = make().eval().get_decoder(), Layout((Span(20),))
    rotation = Rotation(SelfExtend(), layout, own_rope(decoder.rotary_emb, 8), FACTOR)
    with (
        pytest.raises(BadInput, match=f"rope_strategy=self_extend .*{message}"),
        prefilling(decoder, decoder.rotary_emb, rotation, "sdpa"),
    ):
        decoder(ids(20)[None], position_ids=torch.arange(20)[None])
