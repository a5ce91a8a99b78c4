"""The losses are those of dense attention in float64."""

import pytest
import torch

from experiments.bench.kv.fidelity import loss


def test_what_is_held_unchanged_loses_nothing(small):
    nothing = loss(small, small.layers)
    assert nothing.kl.abs().max() < 1e-5
    assert nothing.relative() == {"key": 0, "value": 0, "output": 0}


def test_loss_is_that_of_dense_attention(small):
    noise = torch.Generator().manual_seed(0)
    keys, values = (x + 0.3 * torch.randn(x.shape, generator=noise) for x in small.layers[0])
    found, (right_k, right_v), q = loss(small, [(keys, values)]), small.layers[0], small.asked[0].q.double()
    right, wrong = ((q @ k.double().mT / 32**0.5).softmax(-1) for k in (right_k, keys))
    kl = torch.nn.functional.kl_div(wrong.log(), right, reduction="none").sum(-1)
    torch.testing.assert_close(found.kl[0], kl.mean(1), rtol=1e-3, atol=1e-6)
    exact, held = right @ right_v.double(), wrong @ values.double()
    assert found.relative()["output"] == pytest.approx(float((exact - held).norm() / exact.norm()), rel=1e-4)
    assert found.relative()["key"] == pytest.approx(float((keys - right_k).norm() / right_k.norm()), rel=1e-5)
