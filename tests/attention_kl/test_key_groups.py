"""Every key is in one group, in order; the sink is the first tokens whatever they are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from intpv.attention_kl.key_groups import FIRST_FRAME, QUESTION, SINK, TEXT, KeyGroups
from intpv.errors import BadInput
from intpv.layout import Layout, Span

CPU = torch.device("cpu")
SPANS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=8)


@given(spans=SPANS, sinks=st.integers(0, 20), own=st.integers(1, 5), most=st.integers(1, 7))
def test_portions_are_every_key_once_in_its_group(spans, sinks, own, most):
    layout = Layout(tuple(Span(length, float(i) if frame else None) for i, (length, frame) in enumerate(spans)))
    groups = KeyGroups.of(layout, sinks)
    frames = [i for i, (_, frame) in enumerate(spans) if frame]
    want = [FIRST_FRAME + frames.index(i) if frame else TEXT for i, (n, frame) in enumerate(spans) for _ in range(n)]
    want = [SINK] * min(sinks, len(want)) + want[sinks:] + [QUESTION] * own
    for together in (True, False):
        portions = list(groups.portions(own, most, together))
        assert [key for part in portions for key in range(part.start, part.stop)] == list(range(layout.length + own))
        got = [
            part.group + i for part in portions for i in range(part.groups) for _ in range(part.length // part.groups)
        ]
        assert got == want
        assert all(1 <= part.length <= most for part in portions)
        assert together or all(part.groups == 1 for part in portions)
        for part in portions:
            assert part.starts(CPU).tolist() == list(range(part.start, part.stop, part.length // part.groups))
    assert groups.length == layout.length
    assert groups.times == tuple(float(i) for i in frames)
    assert groups.count == FIRST_FRAME + len(frames)


def test_whole_frames_of_one_length_come_together():
    groups = KeyGroups.of(Layout((Span(6), *(Span(10, float(i)) for i in range(64)), Span(3))))
    assert [(part.group, part.groups) for part in groups.portions(5, 10**6)] == [
        (SINK, 1), (TEXT, 1), (FIRST_FRAME, 64), (TEXT, 1), (QUESTION, 1),
    ]  # fmt: skip
    assert max(part.length for part in groups.portions(5, 99)) == 90


def test_a_layout_with_a_question_is_no_prefix():
    with pytest.raises(BadInput, match="a question at 4"):
        KeyGroups.of(Layout((Span(4),)).ask(3))


@given(spans=SPANS, sinks=st.integers(0, 20), seed=st.integers(0, 99))
def test_what_is_left_of_a_prefix_stays_in_its_groups(spans, sinks, seed):
    layout = Layout(tuple(Span(length, float(i) if frame else None) for i, (length, frame) in enumerate(spans)))
    groups = KeyGroups.of(layout, sinks)
    kept = torch.rand(layout.length, generator=torch.Generator().manual_seed(seed)) < 0.5
    left = groups.of_kept(kept)
    whole, cut = ([one.group for one in of.stretches for _ in range(one.length)] for of in (groups, left))
    assert cut == [group for group, stays in zip(whole, kept.tolist(), strict=True) if stays]
    assert left.count == groups.count
