"""Logits that are NaN: the largest of them is some token, which must not pass for an answer."""

import pytest
import torch

from intpv.errors import Unaskable
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

QUESTIONS = ["Did red flash?", "Did blue flash?"]


@pytest.mark.parametrize("policy", [NoQuant(), KVQuant(bits=4, key_group=32, value_group=32)], ids=["none", "int4"])
def test_what_outgrows_float16_is_refused_by_name(policy):
    model = tiny_model()
    for module in (model.llm, model.encoder):
        module.to(torch.float16)
    llm = VideoLLM(model, Strided(), NoScaling(), policy)
    context = llm.watch(*clip(8))
    assert len(llm.ask(context, QUESTIONS)) == 2
    model.llm.get_output_embeddings().weight.mul_(6e4)  # products beyond 65504
    line = "the model's logits are NaN: numbers grew too large for float16; model.dtype=bfloat16 holds larger ones"
    assert llm.ask_each(context, QUESTIONS, [("yes", "no")] * 2) == [line, line]
    with pytest.raises(Unaskable, match=f"2 of 2 questions cannot be asked: {line}"):
        llm.ask(context, QUESTIONS)


def test_a_number_that_is_none_in_the_video_is_no_answer_either():
    llm = VideoLLM(tiny_model(), Strided(), NoScaling(), NoQuant())
    context = llm.watch(*clip(8))
    with torch.inference_mode():
        context.packed.layers[0].runs[0].values.x.fill_(torch.nan)
    assert all("logits are NaN" in told for told in llm.ask_each(context, QUESTIONS))
