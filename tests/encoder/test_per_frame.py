"""PerFrame: transformers' CLIPVisionModel itself is the judge; frames do not see each other."""

from dataclasses import asdict

import pytest
import torch

from intpv.encoder.per_frame import PerFrame


@pytest.mark.parametrize("select_layer", [-1, -2, -4, 0, 2])
@pytest.mark.parametrize("keep_cls", [True, False])
def test_equals_clip(per_frame, groups, select_layer, keep_cls):
    encoder = PerFrame(**asdict(per_frame.config), select_layer=select_layer, llm_width=32, keep_cls=keep_cls)
    with torch.inference_mode():
        states = encoder.tower(groups.flatten(0, 1), output_hidden_states=True).hidden_states
        expected = states[select_layer][:, 0 if keep_cls else 1 :].unflatten(0, (2, 8))
        torch.testing.assert_close(encoder.features(groups), expected, atol=1e-6, rtol=0)
    assert encoder.tokens_per_frame == expected.shape[2]


def test_frames_do_not_see_each_other(per_frame, groups):
    other = groups.clone()
    other[0, 7] = 0.0
    with torch.inference_mode():
        torch.testing.assert_close(per_frame(groups)[0, :7], per_frame(other)[0, :7], atol=1e-6, rtol=0)


def test_says_that_it_knows_no_time(per_frame, languagebind):
    assert not per_frame.mixes_time
    assert languagebind.mixes_time
