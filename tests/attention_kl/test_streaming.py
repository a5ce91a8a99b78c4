"""One streaming pass equals dense float64 attention: divergences, entropies, masses, outputs; pruning, blind rows."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.attention_kl import streaming
from intpv.attention_kl.divergence import shares
from intpv.attention_kl.key_groups import FIRST_FRAME, KeyGroups
from intpv.attention_kl.streaming import compare
from intpv.errors import BadInput
from intpv.layout import Layout, Span

from .dense import Pieces, case, cut, entropy, kl, layout

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def _close(got, want):
    torch.testing.assert_close(got.double(), want, **CLOSE)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_everything_equals_dense_float64(data):
    kv_heads, repeats = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    rows, own = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    frames, sinks = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 20))
    spread, portion = data.draw(st.sampled_from([0.1, 1.0, 4.0])), data.draw(st.sampled_from([1, 64, 2**20]))
    one = case(
        data.draw(st.integers(0, 10**6)),
        heads=kv_heads * repeats,
        kv_heads=kv_heads,
        rows=rows,
        own=own,
        spread=spread,
        change=data.draw(st.sampled_from([0.0, 0.01, 1.0])),
        shape=layout(data.draw(st.integers(1, 8)), frames, data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))),
        masked_rows=data.draw(st.integers(0, rows)),
    )
    one = replace(one, groups=KeyGroups.of(layout_of(one), sinks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "logits_at_once", lambda device: portion)
        got = compare(one.reference, one.modified, one.groups)
    p, r = one.probabilities(one.reference), one.probabilities(one.modified)
    everything = got.all_keys
    _close(everything.kl, kl(p, r))
    _close(everything.reference.entropy, entropy(p))
    _close(everything.modified.entropy, entropy(r))
    assert torch.equal(everything.top1_agrees, p.argmax(-1) == r.argmax(-1))
    assert not everything.lost_mass.any()
    group = one.group_of_keys(own)
    mass = torch.stack([p[..., group == index].sum(-1) for index in range(one.groups.count)], -1)
    _close(shares(got.groups.reference.lse), mass)
    video = group >= FIRST_FRAME
    if video.any():
        _close(got.video.kl, kl(*(x[..., video] / x[..., video].sum(-1, keepdim=True) for x in (p, r))))
    outputs = one.output(one.reference), one.output(one.modified)
    _close(got.error, (outputs[0] - outputs[1]).square().sum(-1))
    _close(got.norm, outputs[0].square().sum(-1))


def layout_of(one):
    """A layout with the frames of the case's groups: sinks of another number can be taken from it."""
    lengths = [(p.length, p.group) for p in one.groups.portions(0, 10**9) if p.length]
    return Layout(tuple(Span(n, float(group) if group >= FIRST_FRAME else None) for n, group in lengths))


def test_a_sink_with_nearly_all_mass_does_not_hide_the_video():
    """Video keys 200 nats below the sink: their mass is 0 in float32, their own divergence is not."""
    one = case(spread=3.0)
    d = one.reference.asked.q.shape[2]
    q = one.reference.asked.q.clone()
    q[..., 0] = 200 * d**0.5
    sides = []
    for side in (one.reference, one.modified):
        k, own = side.prefix.k.clone(), side.asked.k.clone()
        k[..., 0], own[..., 0] = 0, 0
        k[:, 0, 0] = 1
        sides.append(
            replace(side, prefix=Pieces(k, side.prefix.v, [k.shape[1]]), asked=replace(side.asked, q=q, k=own))
        )
    one = replace(one, reference=sides[0], modified=sides[1])
    got = compare(*sides, one.groups)
    assert shares(got.groups.reference.lse)[..., FIRST_FRAME:].sum(-1).max() == 0
    assert got.all_keys.kl.max() < 1e-4
    video = one.group_of_keys(5) >= FIRST_FRAME
    p, r = (one.logits(side)[..., video].softmax(-1) for side in sides)
    assert kl(p, r).min() > 1e-3
    torch.testing.assert_close(got.video.kl.double(), kl(p, r), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    one = case()

    def half(side):
        a, p = side.asked, side.prefix
        asked = replace(a, q=a.q.to(dtype), k=a.k.to(dtype), v=a.v.to(dtype))
        return replace(side, asked=asked, prefix=Pieces(p.k.to(dtype), p.v.to(dtype), p.lengths))

    one = replace(one, reference=half(one.reference), modified=half(one.modified))
    got = compare(one.reference, one.modified, one.groups)
    _close(got.all_keys.kl, kl(one.probabilities(one.reference), one.probabilities(one.modified)))


def test_identical_sides_are_at_the_numeric_floor():
    """However the prefix is cut, and in float64 too."""
    one = case(rows=7, own=7, shape=layout(9, 12, 20, 2))
    prefix = one.reference.prefix
    for other in (
        one.reference,
        replace(one.reference, prefix=Pieces(prefix.k, prefix.v, cut(torch.Generator().manual_seed(9), 251))),
        replace(one.reference, dtype=torch.float64),
    ):
        got = compare(one.reference, other, one.groups)
        assert got.all_keys.kl.max() < 2e-6
        assert got.video.kl.max() < 2e-6
        assert got.all_keys.top1_agrees.all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.1, 0.5, 0.95]))
def test_pruning_reports_lost_mass_and_kl_on_kept_keys(seed, share):
    one = case(seed)
    length = one.groups.length
    kept = torch.rand(length, generator=torch.Generator().manual_seed(seed)) < share
    prefix = one.modified.prefix
    less = Pieces(
        prefix.k[:, kept], prefix.v[:, kept], cut(torch.Generator().manual_seed(seed), int(kept.sum())) or [0]
    )
    pruned = replace(one.modified, prefix=less)
    got = compare(one.reference, pruned, one.groups, kept)
    held = torch.cat([kept, torch.ones(5, dtype=torch.bool)])
    p, r = one.probabilities(one.reference), one.probabilities(one.modified)
    everything = got.all_keys
    _close(everything.lost_mass, p[..., ~held].sum(-1))
    on_kept = [x[..., held] / x[..., held].sum(-1, keepdim=True) for x in (p, r)]
    _close(everything.kl, kl(*on_kept))
    _close(everything.reference.entropy, entropy(p))  # the reference's is over all its keys
    agree = p.argmax(-1) == r.masked_fill(~held, -1).argmax(-1)
    assert torch.equal(everything.top1_agrees, agree)


def test_a_model_that_lost_everything_has_lost_mass_1_and_is_flagged():
    one = case(masked_rows=2)
    kept = torch.zeros(one.groups.length, dtype=torch.bool)
    empty = Pieces(one.modified.prefix.k[:, :0], one.modified.prefix.v[:, :0], [0])
    got = compare(one.reference, replace(one.modified, prefix=empty), one.groups, kept).all_keys
    assert (got.lost_mass[:, :2] == 1).all()
    assert not got.comparable[:, :2].any()
    assert not got.kl[:, :2].any()
    assert got.comparable[:, 2:].all()


def test_a_row_that_sees_nothing_is_0_and_flagged():
    one = case(masked_rows=2, shape=Layout(()))
    got = compare(one.reference, one.modified, one.groups)
    everything = got.all_keys
    assert not everything.comparable[:, :2].any()
    assert everything.comparable[:, 2:].all()
    for value in (everything.kl, everything.reference.entropy, everything.lost_mass, got.error, got.norm):
        assert not value[:, :2].any()
        assert value.isfinite().all()
    assert not shares(got.groups.reference.lse)[:, :2].any()
    assert got.video is None


def test_broken_keys_are_not_mistaken_for_none():
    one = case()
    one.modified.prefix.k[0, 3] = torch.nan
    assert compare(one.reference, one.modified, one.groups).all_keys.kl.isnan().any()


def test_a_question_without_tokens_is_refused():
    asked = case().reference.asked
    empty = replace(asked, q=asked.q[:, :0], mask=asked.mask[:0])
    with pytest.raises(BadInput, match="at least 1 query row, got a question of 0 tokens"):
        replace(case().reference, asked=empty)


@pytest.mark.parametrize(
    ("length", "says"), [(20, "modified model ends after 25 keys"), (31, "modified model goes on after 29 keys")]
)
def test_references_of_other_tokens_are_refused(length, says):
    one = case()
    assert one.groups.length == 24
    long = torch.cat([one.modified.prefix.k] * 2, 1)[:, :length]
    with pytest.raises(BadInput, match=says):
        compare(one.reference, replace(one.modified, prefix=Pieces(long, long, [length])), one.groups)


def test_other_shapes_are_refused_with_both():
    one = case()
    with pytest.raises(BadInput, match=r"same rows, heads and own keys, got q, k of \(\(4, 5, 16\).*\(4, 4, 16\)"):
        compare(one.reference, case(rows=4).modified, one.groups)
    with pytest.raises(BadInput, match="all 24 keys of the prefix, got 3"):
        compare(one.reference, one.modified, one.groups, torch.ones(3, dtype=torch.bool))
