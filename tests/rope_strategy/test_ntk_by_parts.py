"""NTK by parts: the authors' published formula in float64, channel by channel (their own tables: test_golden)."""

import math

import pytest
import torch

from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.ntk_by_parts import NTKByPartsScaling

FACTORS = [1.5, 2.0, 4.0, 7.3, 16.0]


def share_of_faster(channel: int, dim: int, base: float, length: int, fast: float, slow: float) -> float:
    """1 for a channel that makes more than `fast` turns, 0 below `slow`; bounds on whole channels."""

    def at(turns):  # channel that makes so many turns: base^(2i/d) = L / (2 pi turns)
        return dim / 2 * math.log(length / (2 * math.pi * turns), base)

    low, high = max(math.floor(at(fast)), 0), min(math.ceil(at(slow)), dim - 1)
    return 1 - min(max((channel - low) / ((high - low) or 0.001), 0), 1)


def judge(dim: int, base: float, length: int, s: float) -> list[float]:
    table = []
    for i in range(dim // 2):
        trained, ntk = base ** (-2 * i / dim), (base * s ** (dim / (dim - 2))) ** (-2 * i / dim)
        part = share_of_faster(i, dim, base, length, 1.25, 0.75)
        scaled = trained / s * (1 - part) + ntk * part
        part = share_of_faster(i, dim, base, length, 16, 2)
        table.append(scaled * (1 - part) + trained * part)
    return table


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("trained_length", [80, 2056, 32768])
@pytest.mark.parametrize("base", [33.0, 10000.0, 1e6])
@pytest.mark.parametrize("head_dim", [16, 32, 128])
def test_equals_the_published_formula(head_dim, base, trained_length, factor):
    ours = NTKByPartsScaling().inv_freq(RopeGeometry(head_dim, base, trained_length), factor)
    expected = torch.tensor(judge(head_dim, base, trained_length, factor), dtype=torch.float64)
    torch.testing.assert_close(ours.double(), expected, rtol=2e-7, atol=0)


@pytest.mark.parametrize("factor", FACTORS)
def test_its_ends_are_training_and_linear_and_ntk_is_between(factor):
    vicuna = RopeGeometry(128, 10000.0, 4096)
    tables = [one.inv_freq(vicuna, factor) for one in (NTKByPartsScaling(), NTKScaling(), LinearScaling())]
    (ours, ntk, linear), trained = tables, baseline_inv_freq(vicuna)
    turns = trained * 4096 / (2 * math.pi)
    step = trained[0] / trained[1]  # ramps end on whole channels
    assert torch.equal(ours[turns > 16 * step], trained[turns > 16 * step])
    torch.testing.assert_close(ours[turns < 0.75 / step], linear[turns < 0.75 / step], rtol=1e-6, atol=0)
    middle = (turns < 2 / step) & (turns > 1.25 * step)
    assert middle.any()
    torch.testing.assert_close(ours[middle], ntk[middle], rtol=1e-6, atol=0)
