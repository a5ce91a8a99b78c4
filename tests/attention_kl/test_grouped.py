"""Grouped KL: its parts add up, it never exceeds the KL on single keys, and bins match frames by their timestamps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.attention_kl.grouped import grouped_kl
from intpv.attention_kl.key_groups import FIRST_FRAME, binned, time_bins
from intpv.attention_kl.streaming import compare, group_tallies
from intpv.errors import BadInput

from .dense import case, kl, layout

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def _grouped(reference, modified):
    *bins, count = time_bins(reference.groups.times, modified.groups.times)
    sides = ((reference.reference, reference.groups), (modified.modified, modified.groups))
    return grouped_kl(*(binned(group_tallies(*one).lse, which, count) for one, which in zip(sides, bins, strict=True)))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    spread=st.sampled_from([0.1, 1.0, 3.0]),
    fewer=st.integers(1, 4),
    times=st.integers(1, 4),
)
def test_the_parts_add_up_whatever_the_lengths(seed, spread, fewer, times):
    short = case(seed, spread=spread, shape=layout(6, fewer, 5, 1, spacing=float(times)))
    long = case(seed + 1, spread=spread, shape=layout(4, fewer * times, 3, 3))
    kl = _grouped(short, long)
    torch.testing.assert_close(kl.modality + kl.within_video + kl.within_text, kl.total, **CLOSE)
    assert all((part >= 0).all() for part in kl)
    assert not kl.lost_mass.any()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.1, 1.0, 3.0]), frames=st.integers(1, 6))
def test_it_is_a_lower_bound_and_the_rest_is_inside_the_groups(seed, spread, frames):
    """KL(p || r) = KL(P || R) + sum over groups of P_g KL within g."""
    one = case(seed, spread=spread, shape=layout(8, frames, 6, 3))
    grouped, compared = _grouped(one, one).total, compare(one.reference, one.modified, one.groups)
    full = compared.all_keys.kl
    assert (grouped <= full + 1e-5).all()
    inside = (compared.groups.reference.lse.softmax(-1) * compared.groups.kl).sum(-1)
    torch.testing.assert_close(grouped + inside, full, **CLOSE)


def test_it_is_kl_on_summed_masses():
    one = case()
    group = one.group_of_keys(5)
    masses = [
        torch.stack([p[..., group == index].sum(-1) for index in range(one.groups.count)], -1)
        for p in (one.probabilities(one.reference), one.probabilities(one.modified))
    ]
    got = _grouped(one, one)
    torch.testing.assert_close(got.total.double(), kl(*masses), **CLOSE)
    video = [torch.stack([m[..., FIRST_FRAME:].sum(-1), m[..., :FIRST_FRAME].sum(-1)], -1) for m in masses]
    torch.testing.assert_close(got.modality.double(), kl(*video), **CLOSE)


def test_splitting_every_key_in_two_changes_nothing():
    """Twice as many keys of the same content add ln 2 to all groups alike."""
    lse = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    assert grouped_kl(lse, lse + torch.tensor(2.0).log()).total.max() < 1e-6


def test_a_group_that_the_modified_model_lacks_is_lost_mass_not_infinity():
    p, r = torch.randn(2, 1, 1, 6, generator=torch.Generator().manual_seed(0))
    p[..., 1] = -torch.inf  # neither has text
    r[..., 1] = r[..., 4] = -torch.inf
    got = grouped_kl(p, r)
    held = torch.tensor([0, 2, 3, 5])
    torch.testing.assert_close(got.lost_mass.double(), p.double().softmax(-1)[..., 4], **CLOSE)
    want = kl(p.double()[..., held].softmax(-1), r.double()[..., held].softmax(-1))
    torch.testing.assert_close(got.total.double(), want, **CLOSE)
    torch.testing.assert_close(got.modality + got.within_video + got.within_text, got.total, **CLOSE)
    nothing = grouped_kl(torch.full((1, 1, 6), -torch.inf), r)
    assert not any(part.any() for part in nothing)


def test_8_against_32_frames_gives_8_bins_of_4():
    few, many = [4.0 * i + 2 for i in range(8)], [i + 0.5 for i in range(32)]
    ours, theirs, count = time_bins(few, many)
    assert count == 8
    assert ours.tolist() == list(range(8))
    assert theirs.tolist() == [i // 4 for i in range(32)]
    theirs, ours, _ = time_bins(many, few)
    assert ours.tolist() == list(range(8))
    assert theirs.tolist() == [i // 4 for i in range(32)]


def test_8_frames_shown_4_times_each_fall_into_8_bins():
    few = [float(i) for i in range(8)]
    _, theirs, count = time_bins(few, [t for t in few for _ in range(4)])
    assert count == 8
    assert theirs.bincount().tolist() == [4] * 8


def test_bins_need_frames():
    with pytest.raises(BadInput, match="got 0 and 8"):
        time_bins((), (1.0,) * 8)


def test_an_empty_bin_has_no_mass():
    lse = binned(torch.zeros(1, 1, FIRST_FRAME + 2), torch.tensor([0, 2]), 3)
    assert lse[..., FIRST_FRAME:].flatten().tolist() == [0, -torch.inf, 0]
