"""The stored grid covers its group, so the error is at most half a stored step; more bits, less error."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_quant.quantiser import decode, quantise

KINDS = {
    "normal": lambda x: x,
    "offset": lambda x: 0.02 * x + 300,  # a channel whose offset dwarfs its range
    "outlier": lambda x: torch.where(torch.arange(x.shape[-1]) % 7 == 3, 50 * x - 80, x),
    "tiny": lambda x: 1e-7 * x,  # below float16's normal numbers
    "huge": lambda x: 1e4 * x.clamp(-6.5, 6.5),
    "constant": lambda x: torch.full_like(x, 0.1),
}


def _restored(x, bits, clip=1.0):
    codes, scale, zero = quantise(x, bits, clip)
    return decode(codes, scale.unsqueeze(-1), zero.unsqueeze(-1)), codes, scale, zero


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_error_is_at_most_half_a_step(kind, bits, dtype):
    x = KINDS[kind](torch.randn(3, 4, 40, 32)).to(dtype)
    restored, _, scale, zero = _restored(x, bits)
    assert scale.dtype == zero.dtype == torch.float16
    scale, zero = scale.double().unsqueeze(-1), zero.double().unsqueeze(-1)
    # float32 arithmetic: x - zero, its quotient by scale, and the last sum are each rounded to 2^-24 of themselves, at
    # most the grid's width or its far end; the product of an 8-bit code and an 11-bit scale is exact
    far = zero.abs() + (2**bits - 1) * scale
    assert ((x.double() - restored.double()).abs() <= scale / 2 + 2**-22 * far).all()


def test_grid_covers_its_group():
    x = 0.02 * torch.randn(2, 4, 8, 64) + 300
    _, scale, zero = quantise(x, 8)
    scale, zero = scale.double().unsqueeze(-1), zero.double().unsqueeze(-1)
    assert (zero <= x.double()).all()
    assert (zero + 255 * scale >= x.double() * (1 - 2**-22)).all()


def test_more_bits_less_error():
    x = torch.randn(1, 4, 32, 64)
    error = [(_restored(x, bits)[0] - x).norm() for bits in (8, 4, 2)]
    assert error[0] < error[1] / 8 < error[2] / 16


@pytest.mark.parametrize("clip", [1.0, 0.8])
@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 65504.0])
def test_constant_groups_are_exact(value, clip):
    x = torch.full((1, 1, 2, 8), value)
    restored, codes, scale, _ = _restored(x, 2, clip)
    assert torch.equal(restored, x)
    assert not codes.any()
    assert not scale.any()


@pytest.mark.parametrize("value", [65505.0, -1e5, float("inf"), float("nan")])
def test_refuses_what_float16_cannot_hold(value):
    x = torch.randn(1, 1, 2, 8)
    x[0, 0, 1, 3] = value
    with pytest.raises(BadInput, match=f"at most 65504 .* got {abs(value):g}"):
        quantise(x, 4)
