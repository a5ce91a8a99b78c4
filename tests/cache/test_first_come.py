"""First come: what is in stays until all is cleared."""

import torch

from intpv.cache.memory import ON_CPU, SHARE, FirstCome


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


def test_auto_is_a_share_of_the_fullest_gpus_free_memory_taken_anew_after_clearing(monkeypatch):
    free, reserved, allocated = {0: 50, 1: 80}, {0: 30, 1: 10}, {0: 10, 1: 5}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[device.index], 100))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: reserved[device.index])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated[device.index])
    gpus, cache = [torch.device("cuda", 0), torch.device("cuda", 1)], FirstCome(None)
    most = int(SHARE * 2 * 70)
    assert cache.has_room(most, gpus)
    assert not cache.has_room(most + 1, gpus)
    free[0] = 0  # what is kept takes from it
    assert cache.has_room(most, gpus)
    cache.clear()
    assert not cache.has_room(most, gpus)


def test_auto_on_a_cpu_is_no_share_of_anything():
    assert FirstCome(None).has_room(ON_CPU, [torch.device("cpu")])
    assert not FirstCome(None).has_room(ON_CPU + 1, [torch.device("cpu")])


def test_a_prefix_too_large_to_be_shared_is_said_once(caplog):
    cache = FirstCome(10)
    for key in ("a", "b"):
        assert not cache.put(key, of(11))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert not FirstCome(0).put("a", of(1))  # nobody asked for it
    assert len(caplog.records) == 1


def test_where_others_are_asked_behind_it_the_last_place_is_for_what_is_at_hand():
    cache = FirstCome(100)
    cache.pass_on(True)
    first, *handed_on = of(40), of(40), of(35), of(50)
    assert cache.put("first", first)
    for number, prefix in enumerate(handed_on):
        assert cache.put(str(number), prefix)
        assert cache.is_passing(str(number))
        assert cache.get(str(number)) is prefix
    assert cache.get("0") is None  # the next one has taken its place
    assert cache.get("first") is first
    assert cache.held == 40
    assert not cache.put("large", of(61))
    cache.pass_on(True)
    assert cache.get("2") is None
    cache.clear()
    cache.pass_on(False)
    assert cache.put("a", of(60))
    assert not cache.is_passing("a")
