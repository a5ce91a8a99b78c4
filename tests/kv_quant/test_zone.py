"""The zone is the largest run of tokens, or of whole frames, that touches neither sinks nor tail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.kv_quant.side import Zone
from intpv.layout import Layout, Span

small = st.integers(0, 12)


def _video(before, frames, per_frame, after):
    return Layout((Span(before), *(Span(per_frame, float(t)) for t in range(frames)), Span(after)))


@given(length=st.integers(1, 40), sinks=small, tail=small)
def test_tokens(length, sinks, tail):
    zone = Zone.of_tokens(length, sinks, tail)
    assert list(range(zone.start, zone.stop)) == [i for i in range(length) if sinks <= i < length - tail]
    assert 0 <= zone.start <= zone.stop <= length


@given(before=small, frames=st.integers(1, 6), per_frame=st.integers(1, 5), after=small, sinks=small, tail=small)
def test_frames(before, frames, per_frame, after, sinks, tail):
    layout = _video(before, frames, per_frame, after)
    zone = Zone.of_frames(layout, sinks, tail)
    starts = [before + i * per_frame for i in range(frames)]
    whole = [s for s in starts if s >= sinks and s + per_frame <= layout.length - tail]
    assert list(range(zone.start, zone.stop)) == [token for s in whole for token in range(s, s + per_frame)]
    assert zone.frame == per_frame
    assert 0 <= zone.start <= zone.stop <= layout.length


def test_refuses_what_is_no_row_of_equal_frames():
    frame = Span(4, 0.0)
    for spans, message in (
        ((Span(9),), "need frames, got a prefix of 9 tokens of text"),
        ((frame, Span(5, 1.0), frame), "frames of one length, got one of 4 and one of 5 tokens"),
        ((frame, Span(2), frame, Span(1)), "frames side by side, got 2 tokens of text between 2 frames"),
    ):
        with pytest.raises(BadInput, match=message):
            Zone.of_frames(Layout(spans), 0, 0)
