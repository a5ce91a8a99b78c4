"""Packing loses nothing, fills every bit, and puts channel i * d/n + j into byte j."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_quant.quantiser import pack, unpack


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("shape", [(8,), (3, 16), (2, 5, 32), (1, 7, 128)])
def test_round_trip(bits, shape):
    codes = torch.randint(0, 2**bits, shape, dtype=torch.uint8)
    packed = pack(codes, bits)
    assert packed.shape == (*shape[:-1], shape[-1] * bits // 8)
    assert packed.untyped_storage().nbytes() == codes.numel() * bits // 8
    assert torch.equal(unpack(packed, bits), codes)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_byte_pattern_is_a_row_of_codes(bits):
    every = torch.arange(256, dtype=torch.uint8).view(16, 16)
    assert torch.equal(pack(unpack(every, bits), bits), every)


@pytest.mark.parametrize("bits", [2, 4])
def test_layout(bits):
    d, n = 16, 8 // bits
    for channel in range(d):
        codes = torch.zeros(d, dtype=torch.uint8)
        codes[channel] = 1
        shift, byte = divmod(channel, d // n)
        assert pack(codes, bits).tolist() == [1 << bits * shift if j == byte else 0 for j in range(d // n)]


def test_packs_its_own_copy():
    codes = torch.randint(0, 256, (1, 10, 8), dtype=torch.uint8)
    packed = pack(codes[:, :3], 8)
    assert packed.untyped_storage().nbytes() == 24
    assert packed.untyped_storage().data_ptr() != codes.untyped_storage().data_ptr()


@pytest.mark.parametrize(("bits", "d"), [(3, 16), (16, 16), (2, 6), (4, 7)])
def test_refuses_what_does_not_fill_bytes(bits, d):
    with pytest.raises(BadInput, match=rf"got .*{d if bits in (2, 4) else bits}$"):
        pack(torch.zeros(2, d, dtype=torch.uint8), bits)
