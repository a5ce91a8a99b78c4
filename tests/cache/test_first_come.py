"""First come: what is in stays until all is cleared."""

import torch

from intpv.cache.first_come import FirstCome


def of(size: int) -> list[torch.Tensor]:
    return [torch.zeros(size, dtype=torch.uint8)]


def test_the_first_stay_and_gaps_are_filled():
    cache = FirstCome(100)
    first, small = of(60), of(40)
    assert cache.put("a", first)
    assert not cache.put("b", of(41))
    assert cache.put("c", small)
    assert not cache.put("d", of(1))
    assert cache.get("a") is first
    assert cache.get("c") is small
    assert cache.get("b") is None
    assert cache.held == 100


def test_the_same_key_counts_once():
    cache = FirstCome(100)
    first = of(60)
    assert cache.put("a", first)
    assert cache.put("a", of(60))
    assert cache.get("a") is first
    assert cache.held == 60


def test_cleared_it_takes_everything_again_and_holds_nothing():
    cache = FirstCome(100)
    cache.put("a", of(100))
    cache.clear()
    assert cache.get("a") is None
    assert cache.held == 0
    assert cache.put("b", of(100))


def test_no_room_takes_nothing():
    assert not FirstCome(0).put("a", of(1))
