"""What a policy hands out: exact in the limit of fine codes and wherever it is exempt, one piece dense at a time."""

import pytest
import torch

from intpv.attention.prefix import prefix_attention
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span

from ..largest_allocation import LargestAllocation

VIDEO = Layout((Span(3), *(Span(7, float(t)) for t in range(300)), Span(5)))
ANGLES = torch.arange(VIDEO.length)[:, None] * 100.0 ** (-torch.arange(8) / 8)
EVERY = [
    {f"{side}_granularity": granularity, f"{side}_group": group, f"{side}_clip": clip, **more}
    for granularity, group in (("tensor", None), ("channel", 24), ("token", 8), ("temporal", 20), ("temporal", None))
    for side, clip, more in (
        ("key", 0.8, {"pre_rope": True, "value_hadamard": True}),
        ("value", 1, {"key_hadamard": True}),
    )
]


def _layers(layers=2, kv_heads=2, d=16):
    return [tuple(torch.randn(2, kv_heads, VIDEO.length, d)) for _ in range(layers)]


def _policy(**changes):
    return KVQuant(**{"bits": 4, "key_group": 8, "value_group": 8, **changes})


def _attention(packed, q):
    return torch.stack([prefix_attention(q, layer, 0.3)[0] for layer in packed.layers])


@pytest.mark.parametrize("changes", EVERY)
def test_fine_codes_attend_as_the_prefix_itself_and_coarse_ones_do_not(changes):
    layers, q = _layers(), torch.randn(4, 3, 16)
    exact = _attention(NoQuant().pack(layers, VIDEO, ANGLES), q)
    error = {
        bits: (_attention(_policy(bits=bits, **changes).pack(layers, VIDEO, ANGLES), q) - exact).norm() / exact.norm()
        for bits in (16, 8, 2)
    }
    assert error[16] < 1e-5
    assert error[8] < 0.1 * error[2]
    assert error[8] < 0.1  # what is clipped stays clipped with any number of bits


def test_quantising_before_the_rotation_is_exact_in_the_limit():
    layers, q = _layers(), torch.randn(4, 3, 16)
    fine = {"bits": 8, "key_group": 1, "value_group": 1, "sinks": 0}
    exact, pre, post = (
        _attention(policy.pack(layers, VIDEO, ANGLES), q)
        for policy in (NoQuant(), _policy(**fine, pre_rope=True, key_hadamard=True), _policy(**fine))
    )
    torch.testing.assert_close(pre, exact, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(pre, post, atol=1e-3, rtol=1e-3)


def test_temporal_groups_leave_the_text_and_cut_frames_exact():
    layers = _layers()
    policy = _policy(key_granularity="temporal", value_granularity="temporal", sinks=4, tail=1)
    packed = policy.pack(layers, VIDEO, None)
    kept = [*range(3 + 7), *range(VIDEO.length - 5, VIDEO.length)]  # the sinks reach one token into the first frame
    for restored, original in zip(
        (torch.cat(x, 1) for x in zip(*packed.layers[0].blocks(), strict=True)), layers[0], strict=True
    ):
        same = (restored == original).all(-1).all(0)
        assert same[kept].all()
        assert same.sum() == len(kept)
    assert packed.quantised_fraction == 1 - len(kept) / VIDEO.length


@pytest.mark.parametrize("changes", EVERY)
def test_reading_makes_no_more_than_a_piece_dense(changes):
    packed = _policy(bits=2, **changes).pack(_layers(), VIDEO, ANGLES)
    piece = 1024 * 2 * 16
    with LargestAllocation() as watcher:
        for keys, _ in packed.layers[0].blocks():
            assert keys.shape[1] <= 1024
    assert 0 < watcher.largest <= piece < packed.elements / 4
