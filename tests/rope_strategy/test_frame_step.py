"""Frame step: V2PE's rule in exact fractions, token by token; text stands on whole positions."""

from fractions import Fraction
from math import ceil

import pytest
import torch

from intpv.errors import BadInput
from intpv.laws.rope_strategy import video
from intpv.layout import AXES, Layout, Span
from intpv.rope_strategy.frame_step import FrameStepScaling
from intpv.rope_strategy.visual_only import VisualOnlyScaling

from .test_axes import LAYOUTS

DELTAS = ["1/256", "1/16", "7/100", "1/4", "0.3", "1"]


def judge(layout: Layout, delta: Fraction) -> list[Fraction]:
    """Where the sequence stands moves by delta at a visual token; at text it is rounded up first and moves by 1."""
    stands, positions = Fraction(0), []
    for span in layout.spans:
        for _ in range(span.length):
            stands = stands if span.is_frame else Fraction(ceil(stands))
            positions.append(stands)
            stands += delta if span.is_frame else 1
    return positions


@pytest.mark.parametrize("factor", [1.5, 64.0])
@pytest.mark.parametrize("frames", [8, 33])
@pytest.mark.parametrize("delta", DELTAS)
def test_is_the_rule_in_exact_fractions(delta, frames, factor):
    layout = video(frames, tokens=25).ask(7)
    positions = FrameStepScaling(delta=float(Fraction(delta))).positions(layout, factor)
    expected = torch.tensor([float(one) for one in judge(layout, Fraction(delta))])
    torch.testing.assert_close(positions[0], expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("delta", DELTAS)
def test_text_stands_where_v2pe_puts_it(delta):
    """Its formula: the first text behind n visual tokens, which follow text at p, is at ceil(p + n delta) + 1."""
    layout, step = Layout((Span(5), Span(33, time=0.0), Span(33, time=1.0))).ask(3), Fraction(delta)
    text = FrameStepScaling(delta=float(step)).positions(layout, 4.0)[0, layout.question_start :]
    assert text.tolist() == [ceil(4 + 66 * step) + 1 + more for more in range(3)]


def test_at_a_step_of_one_over_s_it_is_visual_only_but_for_rounding_up(layout):
    ours, other = FrameStepScaling(delta=0.25).positions(layout, 4.0), VisualOnlyScaling().positions(layout, 4.0)
    assert ((ours - other) >= 0).all()
    assert ((ours - other) < 3).all()  # three runs of text


@pytest.mark.parametrize("axes", [("temporal",), AXES])
@pytest.mark.parametrize("name", LAYOUTS)
def test_axes_that_are_not_scaled_stay(name, axes):
    grids = LAYOUTS[name]
    plain, ours = (FrameStepScaling(axes=axes).positions(grids, factor) for factor in (1.0, 4.0))
    kept = torch.tensor([axis not in axes for axis in AXES])
    assert torch.equal(ours[kept], plain[kept])
    assert (ours[~kept].amax() < plain[~kept].amax()).all()


@pytest.mark.parametrize("delta", [0, -0.5, 1.5, True, float("nan")])
def test_refuses(delta):
    with pytest.raises(BadInput, match=f"rope_strategy.delta must be above 0 and at most 1, got {delta}"):
        FrameStepScaling(delta=delta)
