"""Every key is in one group, in order; the sink is the first tokens whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.attention_kl.key_groups import FIRST_FRAME, QUESTION, SINK, TEXT, KeyGroups
from intpv.errors import BadInput
from intpv.layout import Layout, Span

SPANS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=8)


@given(spans=SPANS, sinks=st.integers(0, 20), own=st.integers(1, 5), most=st.integers(1, 7))
def test_portions_are_every_key_once_in_its_group(spans, sinks, own, most):
    layout = Layout(tuple(Span(length, float(i) if frame else None) for i, (length, frame) in enumerate(spans)))
    groups = KeyGroups.of(layout, sinks)
    frames = [i for i, (_, frame) in enumerate(spans) if frame]
    want = [FIRST_FRAME + frames.index(i) if frame else TEXT for i, (n, frame) in enumerate(spans) for _ in range(n)]
    want = [SINK] * min(sinks, len(want)) + want[sinks:] + [QUESTION] * own
    portions = list(groups.portions(own, most))
    assert [key for part in portions for key in range(part.start, part.stop)] == list(range(layout.length + own))
    assert [part.group for part in portions for _ in range(part.length)] == want
    assert all(1 <= part.length <= most for part in portions)
    assert groups.length == layout.length
    assert groups.times == tuple(float(i) for i in frames)
    assert groups.count == FIRST_FRAME + len(frames)


def test_a_layout_with_a_question_is_no_prefix():
    with pytest.raises(BadInput, match="a question at 4"):
        KeyGroups.of(Layout((Span(4),)).ask(3))
