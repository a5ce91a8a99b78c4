"""Watch and ask under strategies that change attention: the answers are those of the definition, densely in float64."""

import math

import pytest
import torch

import intpv
from intpv.hf.attention import turning
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.dual_chunk import DualChunk
from intpv.rope_strategy.self_extend import SelfExtend
from intpv.video_llm.video_llm import VideoLLM

from ..hf.distances import ByDistance, assert_answered, dual_chunks, past_of, plain, rectified, self_extended, sharper
from ..tiny import clip, tiny_model
from .test_extend import BEFORE, VIDEO, llava_next_video

QUESTIONS = ["Did red flash?", "Did red flash before or after blue?"]
JUDGES = {  # at 40 visual tokens of training and 160 here, s = 4
    "self_extend": (self_extended(10, 5), None, 1.0),
    "rerope": (rectified(5, 0.0), sharper(40), 1.0),
    "dual_chunk": (dual_chunks(25, 30), None, (0.05 * math.log(4) + 1) ** 2),
    "log_n": (plain, sharper(40), 1.0),
}


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.mark.slow
@pytest.mark.parametrize("kv", [NoQuant(), KVQuant(bits=2, key_group=32, value_group=32)], ids=["none", "int2"])
@pytest.mark.parametrize("name", JUDGES)
def test_answers_are_those_of_the_definition(model, name, kv):
    """Of two questions side by side, token by token."""
    llm = VideoLLM(model, Strided(), option("rope_strategy", name), kv, max_new_tokens=4)
    context, (distance, sharpness, square) = llm.watch(*clip(32)), JUDGES[name]
    assert context.factor == 4.0
    judge = ByDistance(model.llm, distance, square=square, **({"sharpness": sharpness} if sharpness else {}))
    past = past_of(context.packed, context.rotation)
    for question, answer in zip(QUESTIONS, llm.ask(context, QUESTIONS), strict=True):
        assert_answered(judge, model, past, question, answer)


@pytest.mark.parametrize("name", JUDGES)
def test_read_is_prefill_and_pack(model, name):
    llm = VideoLLM(model, Strided(), option("rope_strategy", name), NoQuant(), max_new_tokens=1)
    features, times = llm.look(llm.model.preprocess.fit(clip(32)[0])), clip(32)[1]
    first, second = llm.pack(llm.prefill(features, times)), llm.read(features, times)
    for one, other in zip(first.packed.layers, second.packed.layers, strict=True):
        for a, b in zip(one.blocks(), other.blocks(), strict=True):
            assert torch.equal(a[0], b[0])
            assert torch.equal(a[1], b[1])


@pytest.mark.parametrize(
    ("rope", "distance"),
    [(SelfExtend(), self_extended(8, 5)), (DualChunk(temperature=1), dual_chunks(20, 24))],
    ids=lambda one: getattr(one, "name", ""),
)
@torch.no_grad()
def test_an_extended_model_gives_the_logits_of_the_definition(rope, distance):
    """Of every token, through transformers' own model, 32 frames of 4 tokens, trained on 8; it is left as it was."""
    torch.manual_seed(0)
    model = llava_next_video()[0].eval()
    for parameter in model.parameters():
        parameter.normal_(std=0.3)
    ids = torch.tensor([[*BEFORE, *[VIDEO] * 128, 7, 8, 9, 10]])
    given, seen = {"input_ids": ids, "pixel_values_videos": torch.randn(1, 32, 3, 32, 32)}, {}
    decoder = model.get_decoder()
    before = vars(decoder).copy(), vars(decoder.rotary_emb).copy(), decoder.config._attn_implementation
    hook = decoder.register_forward_pre_hook(lambda _, args, named: seen.update(named), with_kwargs=True)
    plainly = model(**given).logits[0]
    hook.remove()
    with intpv.extend(model, frames=32, trained_frames=8, rope=rope) as extended:
        logits = model(**given).logits[0]
        answer = model.generate(**given, max_new_tokens=3, min_new_tokens=3, do_sample=False)[0, -3:]
    assert extended.context.factor == 4.0
    judge = ByDistance(model, distance)
    embeddings = torch.cat([seen["inputs_embeds"][0], model.get_input_embeddings()(answer[:2])])
    expected, _ = judge.read(embeddings)
    torch.testing.assert_close(logits.double(), expected[:-2], atol=1e-4, rtol=1e-4)
    assert (expected[:-2] - plainly).abs().max() > 0.01
    assert expected[-3:].argmax(-1).tolist() == answer.tolist()
    assert turning.get() is None
    assert (vars(decoder), vars(decoder.rotary_emb), decoder.config._attn_implementation) == before
    assert not model._forward_pre_hooks
