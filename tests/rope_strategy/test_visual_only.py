"""Visual-only scaling: the step after every kind of token, and the table it leaves alone."""

from dataclasses import replace

import pytest
import torch

from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import baseline_inv_freq
from intpv.rope_strategy.visual_only import VisualOnlyScaling

VISUAL_ONLY = VisualOnlyScaling()
FACTORS = [1.5, 2.0, 4.0, 7.3]


@pytest.mark.parametrize("factor", FACTORS)
def test_text_is_followed_at_one_frames_at_one_over_s(layout, factor):
    expected = torch.tensor([1 / factor if span.is_frame else 1.0 for span in layout.spans for _ in range(span.length)])
    steps = VISUAL_ONLY.positions(layout, factor)[0].diff()
    torch.testing.assert_close(steps, expected[:-1], rtol=0, atol=2e-5)


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_the_question_starts_where_training_had_it(factor):
    def video(num_frames):
        return Layout((Span(7), *(Span(10, time=float(i)) for i in range(num_frames)), Span(1))).ask(5)

    trained, longer = video(8), video(round(8 * factor))
    expected = VISUAL_ONLY.positions(trained, 1.0)[:, trained.question_start :]
    assert torch.equal(VISUAL_ONLY.positions(longer, factor)[:, longer.question_start :], expected)


@pytest.mark.parametrize("factor", FACTORS)
def test_frequencies_and_temperature_are_the_baseline(geometry, factor):
    assert torch.equal(VISUAL_ONLY.inv_freq(geometry, factor), baseline_inv_freq(geometry))
    assert VISUAL_ONLY.attention_scale(factor) == 1.0


@pytest.mark.parametrize("factor", FACTORS)
def test_without_frames_nothing_is_scaled(layout, factor):
    text = replace(layout, spans=tuple(Span(span.length) for span in layout.spans))
    assert torch.equal(VISUAL_ONLY.positions(text, factor)[0], torch.arange(text.length).float())


def test_rounding_does_not_grow_along_the_sequence():
    long = Layout((Span(3), Span(30000, time=0.0), Span(1)))
    last = VISUAL_ONLY.positions(long, 3.0)[0, -1].item()
    assert last == pytest.approx(10003, rel=1e-7)
