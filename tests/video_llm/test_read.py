"""Read: prefill and pack in one, to the same bits, with one layer at a time in full precision."""

from dataclasses import replace

import pytest
import torch

from intpv.cost.memory import counting
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.yarn import YarnScaling
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_llama, tiny_model

CPU = torch.device("cpu")
FEW, LAYERS = 4, 12
POLICIES = ["none", "int8", "int4", "int2", "k4v2", "kivi", "best2", "rotate", "temporal", "paper_tensor"]


def seen(video_llm, frames=32):
    pixels, times = clip(frames)
    return video_llm.look(pixels), times


@pytest.mark.slow
@pytest.mark.parametrize("name", POLICIES)
def test_it_is_packing_the_prefill_to_the_bit(name):
    policy = option("kv_quant", name)
    if getattr(policy, "calibration", "dynamic") != "dynamic":
        policy = replace(policy, calibration="dynamic", range_multiplier=1)
    video_llm = VideoLLM(tiny_model(), Strided(), YarnScaling(), replace(policy, decode="eager"))
    features, times = seen(video_llm)
    one, other = video_llm.read(features, times), video_llm.pack(video_llm.prefill(features, times))
    assert one.packed.ledger() == other.packed.ledger()
    assert (one.packed.quantised, one.packed.elements) == (other.packed.quantised, other.packed.elements)
    for ours, theirs in zip(one.packed.layers, other.packed.layers, strict=True):
        for mine, expected in zip(ours.runs, theirs.runs, strict=True):
            for name, tensors in mine.parts().items():
                assert all(torch.equal(*pair) for pair in zip(tensors, expected.parts()[name], strict=True))
    first, second = (video_llm.ask(context, ["Did red flash?"])[0].logits for context in (one, other))
    assert torch.equal(first, second)


def test_two_bits_hold_one_layer_in_full_precision_however_many_there_are():
    """Beside the packed layers, a decoder of many layers needs no more than one of few."""
    beside, dense = {}, 0
    for layers in (FEW, LAYERS):
        model = tiny_model()
        words = model.llm.config.vocab_size
        sizes = {"hidden_size": 64, "num_hidden_layers": layers, "max_position_embeddings": 80}
        video_llm = VideoLLM(
            replace(model, llm=tiny_llama(vocab_size=words, **sizes)),
            Strided(),
            YarnScaling(),
            KVQuant(bits=2, key_group=32, value_group=32),
        )
        features, times = seen(video_llm, 64)
        with counting(CPU) as count:
            context = video_llm.read(features, times)
        beside[layers] = count.peak - count.held
        whole = VideoLLM(video_llm.model, Strided(), YarnScaling(), NoQuant())
        dense = whole.read(features, times).packed.ledger()["total"] // layers
        del context
    assert beside[LAYERS] - beside[FEW] < dense
