"""Memory: the least recently used entry goes, and bytes are those really held."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from intpv.cache.memory import MemoryCache


def of(size: int) -> dict[str, torch.Tensor]:
    return {"x": torch.zeros(size, dtype=torch.uint8)}


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"), st.integers(0, 60)), max_size=40))
def test_it_is_what_a_list_in_order_of_use_would_be(uses):
    cache, model = MemoryCache(100), {}  # model: key -> entry, the last used last
    for reading, key, size in uses:
        if reading:
            assert cache.get(key) is model.get(key)
            if key in model:
                model[key] = model.pop(key)
        else:
            model.pop(key, None)
            model[key] = of(size)
            cache.put(key, model[key])
            while sum(len(entry["x"]) for entry in model.values()) > 100:
                del model[next(iter(model))]
        assert cache.held == sum(len(entry["x"]) for entry in model.values()) <= 100
        assert all((name in cache) == (name in model) for name in "abcdef")


def test_what_is_larger_than_the_limit_drives_nothing_out():
    cache = MemoryCache(100)
    cache.put("a", of(60))
    cache.put("b", of(101))
    cache.put("c", {"x": torch.zeros(101, dtype=torch.uint8)[:1]})  # a view keeps all of it alive
    assert "a" in cache
    assert "b" not in cache
    assert cache.get("c") is None


def test_no_room_is_no_cache():
    cache = MemoryCache(0)
    cache.put("a", of(1))
    assert cache.get("a") is None
