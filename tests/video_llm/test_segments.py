"""Watch and ask under strategies that change attention: the answers are those of the definition, densely in float64."""

import math

import pytest
import torch

from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.video_llm.video_llm import VideoLLM

from ..hf.distances import ByDistance, dual_chunks, plain, rectified, self_extended, sharper, unrotated
from ..tiny import clip, tiny_model

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


@pytest.mark.parametrize("kv", [NoQuant(), KVQuant(bits=2, key_group=32, value_group=32)], ids=["none", "int2"])
@pytest.mark.parametrize("name", JUDGES)
def test_answers_are_those_of_the_definition(model, name, kv):
    """Of two questions side by side, token by token."""
    llm = VideoLLM(model, Strided(), option("rope_strategy", name), kv, max_new_tokens=4)
    context, (distance, sharpness, square) = llm.watch(*clip(32)), JUDGES[name]
    assert context.factor == 4.0
    judge = ByDistance(model.llm, distance, square=square, **({"sharpness": sharpness} if sharpness else {}))
    past = []
    for layer in context.packed.layers:
        keys, values = (torch.cat(x, 1) for x in zip(*layer.blocks(), strict=True))
        past.append((unrotated(keys, context.rotation.unrotation, context.rotation.scale), values.double()))
    for question, answer in zip(QUESTIONS, llm.ask(context, QUESTIONS), strict=True):
        asked = model.tokenizer(model.prompt.question(question), add_special_tokens=False).input_ids
        row = model.llm.get_input_embeddings()(torch.tensor([*asked, *answer.tokens]))
        logits, _ = judge.read(row, past)
        torch.testing.assert_close(answer.logits.double(), logits[len(asked) - 1], atol=1e-4, rtol=1e-4)
        likeliest = logits[len(asked) - 1 :].argmax(-1).tolist()
        assert likeliest[: len(answer.tokens)] == list(answer.tokens)


@pytest.mark.parametrize("name", JUDGES)
def test_read_is_prefill_and_pack(model, name):
    llm = VideoLLM(model, Strided(), option("rope_strategy", name), NoQuant(), max_new_tokens=1)
    features, times = llm.look(llm.model.preprocess.fit(clip(32)[0])), clip(32)[1]
    first, second = llm.pack(llm.prefill(features, times)), llm.read(features, times)
    for one, other in zip(first.packed.layers, second.packed.layers, strict=True):
        for a, b in zip(one.blocks(), other.blocks(), strict=True):
            assert torch.equal(a[0], b[0])
            assert torch.equal(a[1], b[1])
