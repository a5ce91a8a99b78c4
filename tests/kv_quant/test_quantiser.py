"""The stored grid covers its group, so the error is at most half a stored step; more bits, less error."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_quant.quantiser import dequantise_keys, dequantise_values, quantise, quantise_keys, quantise_values

KINDS = {
    "normal": lambda x: x,
    "offset": lambda x: 0.02 * x + 300,  # a channel whose offset dwarfs its range
    "outlier": lambda x: torch.where(torch.arange(x.shape[-1]) % 7 == 3, 50 * x - 80, x),
    "tiny": lambda x: 1e-7 * x,  # below float16's normal numbers
    "huge": lambda x: 1e4 * x.clamp(-6.5, 6.5),
    "constant": lambda x: torch.full_like(x, 0.1),
}


def _dequantised(x, bits, dim):
    codes, scale, zero = quantise(x, bits, dim)
    return codes.float() * scale.float() + zero.float(), codes, scale, zero


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_error_is_at_most_half_a_step(kind, bits, dim, dtype):
    x = KINDS[kind](torch.randn(3, 40, 32)).to(dtype)
    restored, _, scale, zero = _dequantised(x, bits, dim)
    assert scale.dtype == zero.dtype == torch.float16
    # float32 arithmetic: x - zero, its quotient by scale, and the last sum are each rounded to 2^-24 of themselves, at
    # most the grid's width or its far end; the product of an 8-bit code and an 11-bit scale is exact
    far = zero.double().abs() + (2**bits - 1) * scale.double()
    assert ((x.double() - restored.double()).abs() <= scale.double() / 2 + 2**-22 * far).all()


def test_grid_covers_its_group():
    x = 0.02 * torch.randn(8, 64) + 300
    _, scale, zero = quantise(x, 8, 1)
    assert (zero.double() <= x.double()).all()
    assert (zero.double() + 255 * scale.double() >= x.double() * (1 - 2**-22)).all()


def test_more_bits_less_error():
    x = torch.randn(4, 64, 32)
    error = [(_dequantised(x, bits, 1)[0] - x).norm() for bits in (8, 4, 2)]
    assert error[0] < error[1] / 8 < error[2] / 16


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 65504.0])
def test_constant_groups_are_exact(value):
    x = torch.full((2, 8), value)
    restored, codes, scale, _ = _dequantised(x, 2, 1)
    assert torch.equal(restored, x)
    assert not codes.any()
    assert not scale.any()


@pytest.mark.parametrize("value", [65505.0, -1e5, float("inf"), float("nan")])
def test_refuses_what_float16_cannot_hold(value):
    x = torch.randn(2, 8)
    x[1, 3] = value
    with pytest.raises(BadInput, match="at most 65504"):
        quantise(x, 4, 1)


@pytest.mark.parametrize("group", [1, 5, 32, 100])
@pytest.mark.parametrize("tokens", [1, 31, 64, 70])
def test_ragged_last_group_has_its_true_length(group, tokens):
    keys = torch.randn(2, tokens, 16)
    codes, scale, zero = quantise_keys(keys, 4, group)
    assert scale.shape == zero.shape == (2, -(-tokens // group), 16)
    for index, run in enumerate(keys.split(group, dim=1)):
        alone = quantise(run, 4, 1)
        mine = codes[:, index * group : index * group + run.shape[1]], scale[:, index, None], zero[:, index, None]
        assert all(torch.equal(a, b) for a, b in zip(alone, mine, strict=True))


@pytest.mark.parametrize("piece", [1, 7, 32, 70])
def test_pieces_dequantise_as_the_whole(piece):
    keys = torch.randn(2, 70, 16)
    codes, scale, zero = quantise_keys(keys, 4, 32)
    pieces = [dequantise_keys(codes[:, start : start + piece], scale, zero, 32, start) for start in range(0, 70, piece)]
    assert torch.equal(torch.cat(pieces, 1), dequantise_keys(codes, scale, zero, 32))


def test_keys_share_no_scale_between_channels_nor_values_between_tokens():
    x = torch.randn(2, 32, 16)
    codes, scale, zero = quantise_keys(x, 2, 32)
    louder = x * torch.linspace(1, 100, 16)  # one loudness a channel
    error = lambda y, of: ((y - of) / of.std(1, keepdim=True)).norm()  # noqa: E731
    first = error(dequantise_keys(codes, scale, zero, 32), x)
    assert error(dequantise_keys(*quantise_keys(louder, 2, 32), 32), louder) < 1.05 * first
    louder = x * torch.linspace(1, 100, 32)[:, None]  # one loudness a token
    first = (dequantise_values(*quantise_values(x, 2, 16)) - x).norm(dim=-1) / x.norm(dim=-1)
    again = (dequantise_values(*quantise_values(louder, 2, 16)) - louder).norm(dim=-1) / louder.norm(dim=-1)
    assert (again < 1.05 * first + 0.02).all()
