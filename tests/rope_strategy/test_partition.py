"""Partitions: every key before a query is in one segment, none of them further off than trained; what is refused."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.layout import Layout, Span
from intpv.rope_strategy.dual_chunk import DualChunk
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.log_n import LogN
from intpv.rope_strategy.own_rope import OwnRope
from intpv.rope_strategy.rerope import ReRoPE
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.self_extend import SelfExtend

ALL = [SelfExtend(), SelfExtend(near=3), ReRoPE(), ReRoPE(near=20, step=0.25), DualChunk(), LogN()]


def distances(strategy, geometry, factor: float) -> torch.Tensor:
    """(n, n) of queries and keys as far as s L tokens; NaN behind the query."""
    partition = strategy.partition(Layout(), geometry, factor)
    tokens = torch.arange(int(factor * geometry.trained_length))
    kept, found = partition.kept(tokens), torch.full((len(tokens), len(tokens)), torch.nan).double()
    for one in partition.segments:
        seen = (tokens >= one.first(tokens)[:, None]) & (tokens < one.stop(tokens)[:, None])
        assert found[seen].isnan().all()  # in no segment before
        away = one.query(tokens)[:, None] - (tokens if one.exact else kept)
        found = torch.where(seen, away.double(), found)
    return found


@pytest.mark.parametrize("factor", [1.5, 4.0, 7.3])
@pytest.mark.parametrize("length", [32, 80])
@pytest.mark.parametrize("strategy", ALL, ids=repr)
def test_every_key_before_a_query_is_in_one_segment(strategy, length, factor):
    found = distances(strategy, RopeGeometry(32, 100.0, length), factor)
    behind = torch.ones_like(found, dtype=torch.bool).triu(1)
    assert torch.equal(found.isnan(), behind)
    assert (found.diagonal() == 0).all()
    assert (found[~behind] >= 0).all()


@pytest.mark.parametrize("factor", [1.5, 4.0, 7.3])
@pytest.mark.parametrize("length", [32, 80])
@pytest.mark.parametrize("strategy", [SelfExtend(), SelfExtend(near=3), ReRoPE(), DualChunk()], ids=repr)
def test_no_distance_is_beyond_the_trained_length(strategy, length, factor):
    assert distances(strategy, RopeGeometry(32, 100.0, length), factor).nan_to_num(0).max() <= length


def test_one_group_fewer_would_reach_too_far():
    geometry = RopeGeometry(32, 100.0, 400)
    near, group = SelfExtend().sizes(geometry, 4.0)
    reach = [near + (1600 - near) / size for size in (group, group - 1)]
    assert reach[0] <= 400 < reach[1]
    assert SelfExtend(near=50, group=8).sizes(geometry, 4.0) == (50, 8)


@pytest.mark.parametrize("strategy", ALL, ids=repr)
def test_at_factor_one_there_are_no_segments(strategy):
    assert strategy.partition(Layout(), RopeGeometry(32, 100.0, 80), 1.0) is None


@pytest.mark.parametrize("step", [0.0, 0.25])
def test_keys_are_kept_where_the_far_segment_wants_them(step):
    geometry, layout = RopeGeometry(8, 100.0, 80), Layout((Span(3), Span(200, time=0.0)))
    angles = ReRoPE(step=step).angles(layout, geometry, 4.0)
    assert torch.equal(angles, torch.arange(203)[:, None] * step * baseline_inv_freq(geometry))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SelfExtend(near=0), "near must be auto or a whole number of at least 1, got 0"),
        (lambda: SelfExtend(group=1), "group must be auto or a whole number of at least 2, got 1"),
        (lambda: SelfExtend(group=2.5), "group must be auto or a whole number of at least 2, got 2.5"),
        (lambda: ReRoPE(near="all"), "near must be auto or a whole number of at least 1, got all"),
        (lambda: ReRoPE(step=1), "step must be at least 0 and below 1, got 1"),
        (lambda: ReRoPE(log_n=1), "log_n must be true or false, got 1"),
    ],
)
def test_refuses_fields(make, message):
    with pytest.raises(BadInput, match=f"rope_strategy.{message}"):
        make()


@pytest.mark.parametrize("kind", [SelfExtend, ReRoPE, DualChunk, LogN])
def test_refuses_the_modifier_of_frequencies(kind):
    with pytest.raises(BadInput, match=r"scales no frequencies: there is nothing for visual=true to keep"):
        kind(visual=True)


@pytest.mark.parametrize(
    ("strategy", "length", "message"),
    [
        (SelfExtend(near=80), 80, "near must be below the trained length of 80 tokens, got 80"),
        (DualChunk(), 7, "dual_chunk needs a trained length of 8 tokens, got 7"),
        (LogN(), 1, "log_n needs a trained length of at least 2 tokens, got 1"),
    ],
)
def test_refuses_a_window_that_is_too_short(strategy, length, message):
    with pytest.raises(BadInput, match=message):
        strategy.partition(Layout(), RopeGeometry(32, 100.0, length), 4.0)


def test_refuses_tables_that_keys_cannot_be_turned_on_by():
    window, everything = (RopeGeometry(32, base, 80) for base in (1e4, 1e6))
    apart = OwnRope(everything, {"sliding_attention": window}, "full_attention")
    paired = OwnRope(RopeGeometry(4, 1e4, 80, columns=(0, 0, 1, 1)), {})
    for own, why in ((apart, "layers have tables of their own"), (paired, "channels are paired in another way")):
        with pytest.raises(BadInput, match=f"rope_strategy=rerope needs one rotation of .* here {why}"):
            Rotation(ReRoPE(), Layout((Span(9),)), own, 4.0)
        Rotation(ReRoPE(), Layout((Span(9),)), own, 1.0)
