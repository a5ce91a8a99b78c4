"""Calibrated grids: Eq 3.7 by another formula, clipping counted, refusals where ranges are of something else."""

import logging

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_quant.basis import PreRope
from intpv.kv_quant.calibration import read
from intpv.kv_quant.kv_quant import KVQuant
from intpv.kv_quant.static_grid import static_grids
from intpv.layout import Layout, Span


def _policy(path, granularity="channel", **changes):
    groups = {f"{side}_granularity": granularity for side in ("key", "value")}
    fields = {"bits": 2, "key_group": None, "value_group": None, "sinks": 0, "calibration": path, **groups}
    return KVQuant(**{**fields, **changes})


def _pack(policy, layers, origin, angles=None):
    return policy.pack(layers, Layout((Span(layers[0][0].shape[1]),)), angles, lambda: origin)


def _dense(layer):
    return [torch.cat(pieces, 1) for pieces in zip(*layer.blocks(), strict=True)]


def _expected(x, seen, bits, granularity, multiplier):
    """Eq 3.7 in float64: S and Z from the range of what was seen, no float16."""
    axes = (0, 1, 2) if granularity == "tensor" else (1,)
    low, high = seen.double().amin(axes, keepdim=True), seen.double().amax(axes, keepdim=True)
    middle, half = (low + high) / 2, (high - low) / 2 * multiplier
    step = 2 * half / (2**bits - 1)
    codes = ((x.double() - (middle - half)) / step).round().clamp(0, 2**bits - 1)
    outside = ((x - middle).abs() > half).double().mean()
    return middle - half + codes * step, step, outside


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("multiplier", [0.5, 1.0, 2])
def test_keys_and_values_follow_equation_3_7(calibrated, origin, granularity, bits, multiplier):
    path, seen, _ = calibrated()
    layers = [tuple(1.2 * torch.randn(2, 2, 70, 16)) for _ in range(2)]
    packed = _pack(_policy(path, granularity, bits=bits, range_multiplier=multiplier), layers, origin())
    outside = []
    for layer, pair in enumerate(layers):
        for side, x in enumerate(pair):
            from_all = torch.cat([prefix[layer][side] for prefix in seen], 1)
            wanted, step, beyond = _expected(x, from_all, bits, granularity, multiplier)
            outside.append(beyond)
            off = (_dense(packed.layers[layer])[side] - wanted).abs() / step
            # float16 moves the ends of the grid by 2^-11 of themselves; near an edge between bins a code may change
            assert off.quantile(0.97) < 0.02 * 2**bits / 4 + 0.02
            assert off.max() < 1.1
    assert abs(packed.drift.clipped - sum(outside) / 4) < 0.005


def test_nothing_is_clipped_of_what_was_calibrated_on(calibrated, origin):
    path, seen, angles = calibrated()
    for changes in ({}, {"granularity": "tensor"}, {"pre_rope": True}):
        packed = _pack(_policy(path, **changes), seen[0], origin(), angles)
        assert packed.drift.clipped < (1e-3 if "pre_rope" in changes else 1e-9)  # un-rotated on another path
        assert packed.drift.range_ratio <= 1 + 1e-6


def test_drift_tells_narrow_from_wide(calibrated, origin, caplog):
    path, seen, _ = calibrated(prefixes=1)
    with caplog.at_level(logging.INFO):
        twice = _pack(_policy(path), [tuple(2 * x for x in pair) for pair in seen[0]], origin()).drift
        tenth = _pack(_policy(path), [tuple(0.1 * x for x in pair) for pair in seen[0]], origin()).drift
        same = _pack(_policy(path), seen[0], origin()).drift
    assert twice.range_ratio == pytest.approx(2, rel=1e-3)
    assert tenth.range_ratio == pytest.approx(0.1, rel=1e-3)
    assert same.range_ratio == pytest.approx(1, rel=1e-6)
    assert tenth.clipped == 0
    assert twice.clipped > 0.02 > 1e-3 > same.clipped  # the ends of the stored range are rounded
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert twice.figures() == {"kv/clipped_fraction": twice.clipped, "kv/range_ratio": twice.range_ratio}


def test_a_large_drift_is_warned_of_once_and_logged_every_time(calibrated, origin, caplog):
    path, seen, _ = calibrated()
    policy, far = _policy(path), [tuple(9 * x for x in pair) for pair in seen[0]]
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            _pack(policy, far, origin())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO"]


def test_dynamic_ranges_have_no_drift():
    layers = [tuple(torch.randn(2, 2, 40, 16))]
    assert _pack(KVQuant(bits=2, key_group=8, value_group=8), layers, None).drift is None


def test_values_do_not_see_the_keys_rotation(calibrated, origin):
    path, seen, angles = calibrated()
    after, before = (_pack(_policy(path, pre_rope=pre), seen[1], origin(), angles) for pre in (False, True))
    assert torch.equal(_dense(after.layers[0])[1], _dense(before.layers[0])[1])
    assert not torch.equal(_dense(after.layers[0])[0], _dense(before.layers[0])[0])


def test_a_temperature_in_the_keys_is_taken_out_of_the_range(calibrated, origin):
    """Keys of a larger attention scale m are m k: the grid grows with them and the codes stay."""
    path, seen, angles = calibrated()
    scaled = [(1.5 * keys, values) for keys, values in seen[0]]
    policy = _policy(path, pre_rope=True, bits=8)
    plain = _dense(_pack(policy, seen[0], origin(), angles).layers[0])[0]
    grown = _dense(_pack(policy, scaled, origin(attention_scale=1.5, factor=8.0), angles).layers[0])[0]
    torch.testing.assert_close(grown, 1.5 * plain, rtol=0, atol=0.05)  # a step is 0.03


def test_clipping_by_the_histogram_lowers_the_squared_error(calibrated, origin):
    path, seen, angles = calibrated(tokens=400, prefixes=2)
    error = []
    for clip in (1.0, 0.6):
        packed = _pack(_policy(path, key_clip=clip, value_clip=clip), seen[0], origin(), angles)
        error.append(sum((a - b).square().sum() for a, b in zip(_dense(packed.layers[0]), seen[0][0], strict=True)))
    assert error[1] < 0.9 * error[0]


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_grids_of_the_calibrated_range_cover_it(calibrated, granularity):
    path, *_ = calibrated()
    for statistics in read(path)[0].statistics.values():
        for layer, one in enumerate(static_grids(statistics, granularity, 2, 1.0, 1.0, 1.0)):
            top = one.zero.float() + 3 * one.scale.float()
            assert (one.zero.float() <= statistics.low[layer].unsqueeze(1)).all()
            assert (top >= statistics.high[layer].unsqueeze(1) - 1e-6).all()


def test_refuses_what_is_of_another_kind(calibrated, origin, caplog):
    path, seen, angles = calibrated()
    post, pre = _policy(path), _policy(path, pre_rope=True)
    with pytest.raises(BadInput, match=r"model tiny \(weights 01234567\), got big \(weights feedface\).*model=big"):
        _pack(pre, seen[0], origin(model="big", weights="feedface"), angles)
    with pytest.raises(BadInput, match=r"yarn at factor 4 \{\}, got yarn at factor 2 \{\}.*pre_rope=true.*frames=16"):
        _pack(post, seen[0], origin(factor=2.0, frames=16), angles)
    with pytest.raises(BadInput, match=r"yarn at factor 4 \{\}, got linear at factor 4"):
        _pack(post, seen[0], origin(strategy="linear"), angles)
    with pytest.raises(BadInput, match=r"\(2, 2, 16\), got a prefix of \(1, 2, 16\)"):
        _pack(post, seen[0][:1], origin(), angles)
    with pytest.raises(BadInput, match=r"\(2, 2, 16\), got a prefix of \(2, 1, 16\)"):
        _pack(post, [(k[:1], v[:1]) for k, v in seen[0]], origin(), angles)
    with pytest.raises(BadInput, match="needs to know the model and the rotation of a prefix"):
        pre.pack(seen[0], Layout((Span(40),)), angles)
    assert not caplog.records
    _pack(pre, seen[0], origin(factor=2.0, frames=16), angles)
    assert "frames 32, here 16; factor 4.0, here 2.0" in caplog.text


def test_a_name_may_change_and_factor_one_is_every_strategys(calibrated, origin):
    path, seen, _ = calibrated(factor=1.0, strategy="none")
    _pack(_policy(path), seen[0], origin(factor=1.0, strategy="ntk", model="renamed"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"calibration": None}, "must be dynamic, embedded or a file, got null: `python -m experiments.calibrate_kv"),
        ({"granularity": "token"}, "key_granularity must be tensor or channel with kv_quant.calibration=.* got token"),
        ({"value_granularity": "temporal"}, "value_granularity must be tensor or channel .* got temporal"),
        ({"key_group": 32}, "kv_quant.key_group must be null with kv_quant.calibration=.*, got 32"),
        ({"value_hadamard": True}, "kv_quant.value_hadamard must be false with .*, got True"),
        ({"range_multiplier": 0}, "kv_quant.range_multiplier must be a number over 0, got 0"),
        ({"range_multiplier": float("nan")}, "kv_quant.range_multiplier must be a number over 0, got nan"),
        ({"calibration": "dynamic", "range_multiplier": 2}, "is of calibrated ranges, got 2 with dynamic ones"),
    ],
)
def test_refusals_name_the_field_and_both_values(calibrated, wrong, message):
    path, *_ = calibrated()
    with pytest.raises(BadInput, match=message):
        _policy(**{"path": path, **wrong})


def test_a_side_in_full_precision_may_be_grouped_as_it_likes(calibrated, origin):
    path, seen, _ = calibrated()
    policy = _policy(path, bits=16, value_bits=2, key_granularity="token", key_group=8)
    packed = _pack(policy, seen[0], origin(factor=2.0))  # keys are not quantised: their rotation is nobody's business
    assert torch.equal(_dense(packed.layers[0])[0], seen[0][0][0])
    assert packed.drift.elements == packed.quantised


def test_ranges_beyond_float16_are_refused(calibrated, origin):
    path, seen, _ = calibrated()
    with pytest.raises(BadInput, match=r"must end within 65504 to be stored as torch\.float16, got"):
        _pack(_policy(path, range_multiplier=1e6), seen[0], origin())


def test_pre_rope_ranges_hold_at_every_position(origin, calibrated):
    """The same keys further on: after RoPE they leave the range, before it they do not."""
    path, seen, angles = calibrated(prefixes=1)
    far = PreRope.of(angles + 1000 * angles[1], torch.device("cpu"))
    here = PreRope.of(angles, torch.device("cpu"))
    moved = [(far.back(here.into(keys), 0), values) for keys, values in seen[0]]
    before = _pack(_policy(path, pre_rope=True), moved, origin(), angles + 1000 * angles[1]).drift
    after = _pack(_policy(path), moved, origin()).drift
    assert after.clipped > 10 * before.clipped
