"""Independent judge: scipy's Hadamard matrix. The rotation is its own inverse and keeps every product of q and k."""

import pytest
import scipy.linalg
import torch

from intpv.errors import BadInput
from intpv.kv_quant.basis import Hadamard, matrix
from intpv.kv_quant.granularity import PerToken
from intpv.kv_quant.stored import Codes


@pytest.mark.parametrize("channels", [1, 2, 8, 32, 64, 128, 256])
def test_equals_scipys(channels):
    want = torch.from_numpy(scipy.linalg.hadamard(channels)) / channels**0.5
    torch.testing.assert_close(matrix(channels).double(), want.double())


def test_is_its_own_inverse_and_keeps_products():
    q, k = torch.randn(2, 4, 10, 64)
    rotation = Hadamard()
    torch.testing.assert_close(rotation.back(rotation.into(k), 0), k, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rotation.into(q) @ rotation.into(k).mT, q @ k.mT, atol=1e-4, rtol=1e-5)


def test_outlier_channels_cost_less():
    x = torch.randn(2, 100, 64)
    x[..., 7] *= 30
    error = [(Codes.of(x, 4, PerToken(None), bases).piece(0, 100) - x).norm() for bases in ((), (Hadamard(),))]
    assert error[1] < 0.7 * error[0]


@pytest.mark.parametrize("channels", [0, 6, 96])
def test_refuses_other_head_dims(channels):
    with pytest.raises(BadInput, match=f"a power of two, got {channels}"):
        matrix(channels)
