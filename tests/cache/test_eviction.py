"""Eviction: the least recently used go, the total stays under the limit, and no clock makes an entry immortal."""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intpv.cache.disk import DiskCache, exists, make_room, place, unfinished

from .entries import address, entry, same

YEAR = 365 * 24 * 3600  # seconds


def total(dir) -> int:
    return sum(file.stat().st_size for file in dir.rglob("*") if file.is_file())


def kept(dir, numbers) -> list[int]:
    return [number for number in numbers if exists(dir, "frames", address(number))]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 3000)), max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_total_never_exceeds_the_limit_and_the_last_used_stay(tmp_path_factory, uses):
    dir, limit = tmp_path_factory.mktemp("cache"), 20000
    disk, order = DiskCache(dir, limit), {}
    for reading, number, size in uses:
        if reading and disk.get("frames", address(number)) is None:
            continue
        if not reading:
            disk.put("frames", address(number), entry(number, size), {})
        order.pop(number, None)
        order[number] = place(dir, "frames", address(number)).stat().st_size
        assert total(dir) <= limit
        # what was used last and fits together with the largest that came since, and with the copy that it replaced, is
        # still there
        recent = list(reversed(order))
        fitting = [n for i, n in enumerate(recent) if sum(order[m] for m in recent[: i + 1]) <= limit - 8000]
        assert kept(dir, fitting) == fitting


def test_reading_keeps_an_entry(tmp_path):
    disk = DiskCache(tmp_path, 3000)
    for number in range(12):
        disk.put("frames", address(number), entry(number), {})
        if number:
            assert same(disk.get("frames", address(0)), entry(0))
    assert 0 in kept(tmp_path, range(12))
    assert 11 in kept(tmp_path, range(12))
    assert 1 not in kept(tmp_path, range(12))


def test_the_oldest_go_first(disk, write):
    now = time.time()
    sizes = [write(number, now - 100 + 10 * number).stat().st_size for number in (0, 1, 2, 3)]
    make_room(disk.dir, 0, sum(sizes) - 1)
    assert kept(disk.dir, range(4)) == [1, 2, 3]
    make_room(disk.dir, sizes[1] + 1, sum(sizes[1:]))
    assert kept(disk.dir, range(4)) == [3]


@pytest.mark.parametrize("jump", [YEAR, -40 * YEAR])
def test_a_clock_that_jumps_costs_entries_at_most(disk, monkeypatch, jump):
    clock = time.time_ns
    small = DiskCache(disk.dir, 4000)
    for number in range(30):
        wrong = number % 10 > 4
        monkeypatch.setattr(time, "time_ns", lambda wrong=wrong: clock() + wrong * jump * 10**9)
        small.put("frames", address(number), entry(number), {})
        assert total(small.dir) <= 4000
        assert same(small.get("frames", address(number)), entry(number))


def test_the_future_makes_no_entry_immortal(disk, write):
    size = write(0, time.time() + 50 * YEAR).stat().st_size
    small = DiskCache(disk.dir, 4 * size)
    for number in range(1, 12):
        small.put("frames", address(number), entry(number), {})
        time.sleep(0.001)
    assert 0 not in kept(disk.dir, range(12))
    assert 11 in kept(disk.dir, range(12))


def test_among_entries_of_the_future_the_last_used_stays(disk, write):
    size = sum(write(number, time.time() + (9 - number) * YEAR).stat().st_size for number in range(3))
    make_room(disk.dir, 0, size - 1)
    assert kept(disk.dir, range(3)) == [0, 1]


@pytest.mark.parametrize(("age", "stays"), [(60, True), (2 * 3600, False), (-YEAR, False)])
def test_what_a_killed_writer_left_counts_and_is_cleared(disk, write, age, stays):
    whole = write(0)
    left = unfinished(whole)
    left.write_bytes(bytes(5000))
    os.utime(left, (time.time() - age,) * 2)
    room = make_room(disk.dir, 100, 6000)
    assert left.exists() == stays
    assert whole.exists()
    assert room == min(6000 / 32, 6000 - total(disk.dir))
    assert make_room(disk.dir, 5500, 6000) == (0 if stays else 5500)


def test_files_of_others_are_left_alone(disk, write):
    ours = write(0)
    names = ["model.safetensors", f"{address()}", f"{address()}.txt", ".hidden.tmp", "x.tmp"]
    theirs = [folder / name for folder in (disk.dir, ours.parent.parent, ours.parent) for name in names]
    theirs += [ours.parent / "deeper" / "still" / ours.name, disk.dir / ours.name]
    for file in theirs:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(1000))
        os.utime(file, (0, 0))
    outside = disk.dir.parent / "outside"
    outside.write_bytes(bytes(10))
    (ours.parent / ours.name.replace(ours.name[:4], "0000")).symlink_to(outside)
    assert make_room(disk.dir, 10, 10) == 10
    assert not ours.exists()
    assert all(file.exists() for file in [*theirs, outside])


def test_files_may_vanish_or_resist(disk, write, monkeypatch):
    sizes = [write(number, number).stat().st_size for number in range(4)]
    unlink = os.unlink

    def contested(path):
        if address(0) in path:
            raise PermissionError(path)
        unlink(path)
        if address(1) in path:
            raise FileNotFoundError(path)  # another process was faster

    monkeypatch.setattr(os, "unlink", contested)
    assert make_room(disk.dir, 10, sum(sizes) - 1) >= 10
    assert kept(disk.dir, range(4)) == [0, 2, 3]
    assert make_room(disk.dir, sizes[0], sizes[0]) == 0  # what cannot be deleted takes its place
    assert kept(disk.dir, range(4)) == [0]


@pytest.mark.slow
def test_a_process_notices_what_others_write(tmp_path):
    limit = 60000
    writers = [DiskCache(tmp_path, limit) for _ in range(4)]
    for number in range(400):
        writers[number % 4].put("frames", address(number), entry(number), {})
        assert total(tmp_path) <= limit * (1 + 4 / 32)
    assert total(tmp_path) > limit / 2


def test_an_empty_or_missing_folder_has_room(tmp_path):
    assert make_room(tmp_path, 10, 3200) == 100
    assert make_room(tmp_path / "none", 10, 3200) == 100
    assert make_room(tmp_path, 200, 3200) == 200
    assert make_room(tmp_path, 3201, 3200) == 0
    assert make_room(tmp_path, 10, float("inf")) > 10**18


def test_a_walk_that_does_not_fit_finds_what_came_first_again(tmp_path, caplog):
    """By the last use alone each entry would go just before it is needed."""
    disk, videos = DiskCache(tmp_path, 10_000), range(20)
    put = lambda number: disk.put("tower", address(number), entry(number), {})  # noqa: E731
    for number in (90, 91, 92):
        put(number)  # another walk's
    disk.walk("these")
    found = []
    for _ in range(3):
        disk.walk("these")  # gone on with
        found.append([number for number in videos if disk.get("tower", address(number)) is not None])
        for number in set(videos) - set(found[-1]):
            put(number)
        assert total(tmp_path) <= 10_000
    assert found[0] == []
    assert found[1] == found[2] == list(range(len(found[1])))
    assert 5 <= len(found[1]) < 20
    assert [record.getMessage() for record in caplog.records if "made anew each time" in record.getMessage()]
    disk.walk("those")  # of other entries: these may go
    put(50)
    assert disk.get("tower", address(50)) is not None
