"""LLaVA-NeXT-Video: its own stretch of positions is part of it, and text is cut as behind the video."""

import torch

from intpv.rope_strategy.linear import LinearScaling

from .families import QUESTIONS, clip, family
from .test_families import build


def test_its_own_stretch_is_where_strategies_start():
    known = family("llava_next_video")
    geometry = build(known.model).watch(*clip(8, known.size)).geometry
    assert (geometry.rope_type, geometry.own_factor) == ("linear", 2.5)
    assert torch.equal(LinearScaling().table(geometry, 1.0), known.model.rotary.inv_freq)
    assert torch.equal(LinearScaling().table(geometry, 4.0), known.model.rotary.inv_freq / 4)


def test_a_question_is_cut_as_behind_the_video():
    """A text that stands alone gets a space before it from this tokenizer; behind <video> it does not."""
    model = family("llava_next_video").model
    asked = model.prompt.question(QUESTIONS[0])
    found = build(model)._question_ids(QUESTIONS[0]).tolist()
    assert found == model.tokenizer("USER: <video>" + asked).input_ids[-len(found) :]
    assert found != model.tokenizer(asked, add_special_tokens=False).input_ids


def test_features_are_pooled_patches_of_the_towers_width():
    known = family("llava_next_video")
    assert build(known.model).look(clip(16, known.size)[0]).shape == (2, 8, 4, 32)
