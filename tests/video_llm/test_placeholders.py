"""Placeholders: the spans of a prompt, or one line that says what does not fit."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.video_llm.placeholders import layout_of


def flags(*runs: tuple[bool, int]) -> torch.Tensor:
    return torch.tensor([flag for flag, length in runs for _ in range(length)])


def test_the_spans_of_a_prompt():
    one = layout_of(flags((False, 3), (True, 13), (False, 2)), 4)
    assert [(span.length, span.is_frame) for span in one.spans] == [(3, False), *[(3, True)] * 4, (1, False)]
    apart = layout_of(flags((False, 3), (True, 2), (False, 1), (True, 2), (False, 5)), 2)
    assert [(span.length, span.time) for span in apart.spans] == [(3, None), (2, 0.0), (1, None), (2, 1.0)]


@pytest.mark.parametrize(
    ("runs", "frames", "message"),
    [
        (((False, 3), (True, 7), (False, 2)), 4, "7 tokens of video cannot be 4 frames"),
        (((True, 2), (False, 1), (True, 2), (False, 1)), 4, "must hold 4 frames, got 2 runs"),
        (((False, 3), (True, 8)), 4, "needs a question after the video, got none after 11 tokens"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(runs, frames, message):
    with pytest.raises(BadInput, match=message):
        layout_of(flags(*runs), frames)
