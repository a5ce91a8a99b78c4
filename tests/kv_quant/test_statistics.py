"""Streamed statistics are those of all numbers at once, by numpy; merging knows neither order nor pieces."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.kv_quant.calibration import Statistics


def _merged(pieces):
    result = Statistics.of(pieces[0], 16)
    for piece in pieces[1:]:
        result = result.merge(Statistics.of(piece, 16))
    return result


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 300.0, -1e4]),
    seed=st.integers(0, 2**31),
)
def test_any_split_is_numpy_over_everything(sizes, offset, seed):
    x = torch.randn(2, 3, sum(sizes), generator=torch.Generator().manual_seed(seed)) * torch.logspace(-3, 3, 3)[:, None]
    x = x + offset
    found, whole = _merged(list(x.split(sizes, -1))), x.double().numpy()
    assert found.count == whole.shape[-1]
    assert np.array_equal(found.low.numpy(), whole.min(-1))
    assert np.array_equal(found.high.numpy(), whole.max(-1))
    np.testing.assert_allclose(found.mean.numpy(), whole.mean(-1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.variance.numpy(), whole.var(-1), rtol=1e-9, atol=1e-15)
    assert torch.equal(found.histogram.counts, Statistics.of(x, 16).histogram.counts)


def test_merging_is_symmetric_and_associative():
    a, b, c = (Statistics.of(torch.randn(4, n) * n, 16) for n in (5, 9, 30))
    for one, other in ((a.merge(b), b.merge(a)), (a.merge(b).merge(c), a.merge(b.merge(c)))):
        assert one.count == other.count
        for name in ("low", "high"):
            assert torch.equal(getattr(one, name), getattr(other, name))
        for name in ("mean", "variance"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-12, atol=0)
        assert torch.equal(one.histogram.counts, other.histogram.counts)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_refused(value):
    x = torch.randn(2, 9)
    x[1, 4] = value
    with pytest.raises(BadInput, match=f"must be finite to calibrate on, got {value}"):
        Statistics.of(x, 16)
