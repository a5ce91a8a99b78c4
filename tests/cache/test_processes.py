"""Several processes and one folder: entries are whole or absent, whoever writes, reads, evicts or is killed."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from intpv.cache.disk import ENTRY, UNFINISHED, DiskCache, make_room

from .entries import address, entry, same

SIZE = 300000  # bytes: writing takes long enough to be caught at it


def put_many(dir, numbers, times: int, limit: int = 10**9) -> None:
    disk = DiskCache(dir, limit)
    for _ in range(times):
        for number in numbers:
            disk.put("frames", address(number), entry(number, SIZE), {})


def get_many(dir, numbers, times: int) -> None:
    """Ends with 0 if everything read was whole; damage would be reported, and so deleted."""
    disk = DiskCache(dir, 10**9)
    for _ in range(times):
        for number in numbers:
            tensors = disk.get("frames", address(number))
            if disk._said or (tensors is not None and not same(tensors, entry(number, SIZE))):
                os._exit(1)


def test_writers_of_the_same_keys_and_their_readers(tmp_path, process):
    numbers = range(4)
    writers = [process(put_many, tmp_path, numbers, 25) for _ in range(2)]
    readers = [process(get_many, tmp_path, numbers, 40) for _ in range(2)]
    for child in (*writers, *readers):
        child.join()
        assert child.exitcode == 0
    disk = DiskCache(tmp_path, 10**9)
    assert all(same(disk.get("frames", address(number)), entry(number, SIZE)) for number in numbers)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) == len(numbers)


def test_readers_while_others_evict(tmp_path, process):
    limit = 5 * SIZE
    writers = [process(put_many, tmp_path, range(start, 12, 2), 25, limit) for start in (0, 1)]
    readers = [process(get_many, tmp_path, range(12), 40) for _ in range(2)]
    for child in (*writers, *readers):
        child.join()
        assert child.exitcode == 0
    total = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert total <= limit + 2 * (SIZE + 1000)  # each writer may not have seen the other's last


@pytest.mark.slow
def test_a_killed_writer_leaves_whole_entries_or_none(tmp_path, process):
    chance = random.Random(0)
    disk = DiskCache(tmp_path, 10**9)
    torn = 0
    for kill in range(600):  # 60 will do, unless a busy machine ends every writer before or after its work
        child = process(put_many, tmp_path, range(3), 10**6)
        deadline = time.monotonic() + 5
        while not any(file.is_file() for file in tmp_path.rglob("*")) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.005))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        for number in range(3):
            tensors = disk.get("frames", address(number))
            assert tensors is None or same(tensors, entry(number, SIZE)), kill
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        torn += sum(bool(UNFINISHED.fullmatch(file.name)) for file in files)
        assert all(ENTRY.fullmatch(file.name) or UNFINISHED.fullmatch(file.name) for file in files)
        for file in files:  # the next writer finds the folder as an hour later, and has all to write
            os.utime(file, (0, 0))
        make_room(tmp_path, 0, 0)
        assert not [file for file in tmp_path.rglob("*") if file.is_file()]
        if kill >= 59 and torn:
            break
    assert torn > 0, "no writer was caught at it"
    assert not disk._said


def test_a_process_of_its_own_reads_and_writes_the_same(tmp_path):
    disk = DiskCache(tmp_path, 10**9)
    disk.put("frames", address(1), {"frames": torch.arange(6, dtype=torch.bfloat16).view(2, 3)}, {})
    code = (
        "from intpv.cache.disk import DiskCache\nfrom intpv.cache.hashing import key\n"
        f"disk = DiskCache({str(tmp_path)!r}, 10**9)\n"
        "tensors = disk.get('frames', key('frames', number=1))\n"
        "disk.put('frames', key('frames', number=2), {'frames': tensors['frames'] + 1}, {})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    expected = {"frames": torch.arange(1, 7, dtype=torch.bfloat16).view(2, 3)}
    assert same(disk.get("frames", address(2)), expected)
