"""Random weights: the same for the same seed, and good enough for identities."""

import pytest
import torch

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.per_frame import PerFrame
from intpv.flipbook.recipe import Geometry
from intpv.kv_quant.kv_quant import NoQuant
from intpv.model.random import load
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.random import Random
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM


def weights(encoder, seed=0):
    model = load(encoder(**Geometry().encoder), seed)
    return torch.cat([p.flatten() for module in (model.llm, model.encoder) for p in module.parameters()])


@pytest.mark.parametrize("encoder", [LanguageBind, PerFrame])
def test_the_seed_is_all_that_matters(encoder):
    first = weights(encoder)
    torch.rand(7)
    assert torch.equal(weights(encoder), first)
    assert not torch.equal(weights(encoder, seed=1), first)


@pytest.mark.parametrize(("encoder", "same"), [(PerFrame, True), (LanguageBind, False)])
def test_rearranging_changes_answers_only_where_frames_see_each_other(encoder, same):
    model = load(encoder(**Geometry().encoder))
    frames = torch.randint(0, 256, (16, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    logits = []
    for rearranger in (Contiguous(), Strided(), Random()):
        llm = VideoLLM(model, rearranger, NoScaling(), NoQuant())
        logits.append(llm.ask(llm.watch(frames, torch.arange(16.0)), ["Did red flash?"])[0].logits)
    for other in logits[1:]:
        assert torch.allclose(other, logits[0], atol=1e-5) == same
