"""KL of first-token distributions against scipy; flips counted by hand."""

import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from intpv.attention_kl.answers import answer_kl, flips


def test_scipy_agrees():
    p, r = torch.randn(2, 5, 30, generator=torch.Generator().manual_seed(0))
    want = entropy(softmax(p.double().numpy(), -1), softmax(r.double().numpy(), -1), axis=-1)
    assert answer_kl(p, r).numpy() == pytest.approx(want)
    assert not answer_kl(p, p + 3).round(decimals=9).any()


def test_flips():
    reference = [("red", True), ("red", False), ("red", False), ("red", False), ("red", True)]
    modified = [("blue", False), ("blue", True), ("blue", False), ("red", False), ("red", True)]
    assert flips(reference, modified) == {"right_to_wrong": 0.2, "wrong_to_right": 0.2, "changed_wrong": 0.2}
    assert flips(reference, reference) == {"right_to_wrong": 0, "wrong_to_right": 0, "changed_wrong": 0}
    assert flips([], []) == {}
