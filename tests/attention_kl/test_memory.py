"""At 8k tokens nothing of the size of the prefix, nor of a map over all its keys, is ever allocated."""

import pytest
import torch

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.streaming import Asked, Side, compare, group_tallies, logits_at_once
from intpv.layout import Layout, Span

from ..largest_allocation import LargestAllocation
from .dense import Pieces

PORTION = logits_at_once(torch.device("cpu"))
TOKENS, HEADS, KV_HEADS, ROWS, D = 8192, 8, 4, 64, 32
BLOCK = KV_HEADS * 1024 * D  # elements of a block's keys


class Rounded(Pieces):
    """Makes each block anew when it is asked for, as a packed layer does."""

    def blocks(self):
        for keys, values in super().blocks():
            yield keys.mul(8).round_().div_(8), values.mul(8).round_().div_(8)


@pytest.fixture(scope="module")
def sides():
    g = torch.Generator().manual_seed(0)
    k, v = torch.randn(2, KV_HEADS, TOKENS, D, generator=g)
    own = torch.randn(2, KV_HEADS, ROWS, D, generator=g)
    q = torch.randn(HEADS, ROWS, D, generator=g)
    asked = Asked(q, *own, torch.ones(ROWS, ROWS, dtype=torch.bool).tril(), D**-0.5)
    # the modified prefix' blocks begin after the sinks: they never fall in step with the reference's
    return Side(asked, Pieces(k, v, 1024)), Side(asked, Rounded(k, v, [4, *[1024] * 7, 1020]))


@pytest.fixture(scope="module")
def groups():
    return KeyGroups.of(Layout((Span(32), *(Span(255, float(i)) for i in range(32)))))


def test_comparing_allocates_a_portion_at_a_time(sides, groups):
    with LargestAllocation() as watcher:
        got = compare(*sides, groups)
    assert got.all_keys.kl.min() > 0
    assert 0 < watcher.largest <= max(PORTION, BLOCK)
    assert watcher.largest < HEADS * ROWS * TOKENS / 4  # a map over all keys
    assert watcher.largest < KV_HEADS * TOKENS * D  # one side's keys


def test_so_does_one_side_alone(sides, groups):
    with LargestAllocation() as watcher:
        group_tallies(sides[1], groups)
    assert 0 < watcher.largest <= max(PORTION, BLOCK)


def test_the_watcher_sees_a_map(sides):
    with LargestAllocation() as watcher:
        sides[0].logits(sides[0].prefix.k)
    assert watcher.largest >= HEADS * ROWS * TOKENS
