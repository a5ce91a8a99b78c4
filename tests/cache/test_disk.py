"""The folder: what is put comes back; damage and a bad folder cost an entry or the cache, never the run."""

import errno
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from intpv.cache import disk as module
from intpv.cache.disk import DiskCache, exists, place
from intpv.cache.hashing import FORMAT

from .entries import address, entry, same


@pytest.fixture
def warnings(caplog):
    """The lines said so far."""
    caplog.set_level(logging.WARNING, logger="intpv.cache")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("intpv.cache")]


def broken(monkeypatch, name: str, code: int) -> list[tuple]:
    """Every use of `open` or `os.replace` for an entry fails with an error code; the arguments of those uses."""
    uses = []

    def fail(*arguments):
        uses.append(arguments)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr({"open": module, "replace": os}[name], name, fail, raising=False)
    return uses


def test_what_is_put_comes_back_to_any_process_and_kind_is_apart(disk, warnings):
    assert disk.get("frames", address()) is None
    disk.put("frames", address(), entry(), {"video": "a.mp4"})
    assert same(disk.get("frames", address()), entry())
    assert same(DiskCache(str(disk.dir), 0).get("frames", address()), entry())
    assert disk.get("tower", address()) is None
    assert [file.name for file in disk.dir.rglob("*") if file.is_file()] == [f"{address()}.safetensors"]
    assert warnings() == []


def test_the_last_put_counts(disk):
    disk.put("frames", address(), entry(1), {})
    disk.put("frames", address(), entry(2), {})
    assert same(disk.get("frames", address()), entry(2))


def test_nothing_in_the_file_can_run_code(disk, write, warnings):
    path = write(1)
    path.write_bytes(b"cos\nabort\n(tR.")  # a pickle that would end the process
    assert disk.get("frames", address(1)) is None
    assert len(warnings()) == 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-1], "not a whole entry"),
        (lambda content: b"", "not a whole entry"),
        (lambda content: content[:-9] + bytes([content[-9] ^ 16]) + content[-8:], "checksum"),
        (lambda content: content.replace(f'"format":"{FORMAT}"'.encode(), b'"format":"0"'), "format 0"),
        (lambda content: content.replace(address(1).encode(), address(2).encode()), "another key"),
    ],
)
def test_a_bad_entry_is_deleted_and_reported_once(disk, write, warnings, damage, reason):
    path = write(1)
    whole = path.read_bytes()
    for _ in range(3):
        path.write_bytes(damage(whole))
        assert disk.get("frames", address(1)) is None
        assert not path.exists()
        assert disk.get("frames", address(1)) is None
    (line,) = warnings()
    assert str(path) in line
    assert reason in line
    write(1)
    assert same(disk.get("frames", address(1)), entry(1))


def test_flipped_bytes_in_the_file_never_lie(disk, write, warnings):
    path = write(1)
    whole = path.read_bytes()
    missed = 0
    for position in range(0, len(whole), 7):
        reader = DiskCache(disk.dir, 10**9)
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
        tensors = reader.get("frames", address(1))
        missed += tensors is None
        assert tensors is None or same(tensors, entry(1))
        assert len(warnings()) == missed
    assert missed > len(whole) // 14


def test_a_bad_entry_that_cannot_be_deleted_is_reported_once(disk, write, warnings, monkeypatch):
    write(1).write_bytes(b"")
    monkeypatch.setattr(Path, "unlink", lambda path: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no")))
    assert [disk.get("frames", address(1)) for _ in range(3)] == [None] * 3
    assert len(warnings()) == 1


def test_a_file_in_place_of_the_folder(tmp_path, warnings):
    (tmp_path / "cache").write_text("not a folder")
    for dir in (tmp_path / "cache", tmp_path / "cache" / "below"):
        disk = DiskCache(dir, 10**9)
        for number in range(3):
            disk.put("frames", address(number), entry(), {})
            assert disk.get("frames", address(number)) is None
    assert len(warnings()) == 2
    assert (tmp_path / "cache").read_text() == "not a folder"


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("name", ["open", "replace"])
def test_a_folder_that_takes_no_more_is_said_once_and_still_read(disk, write, warnings, monkeypatch, name, code):
    write(0)
    uses = broken(monkeypatch, name, code)
    for number in range(1, 4):
        disk.put("frames", address(number), entry(), {})
        assert disk.get("frames", address(number)) is None
    assert same(disk.get("frames", address(0)), entry(0))
    assert len(uses) == 1  # a full disk's last bytes are left to others
    (line,) = warnings()
    assert str(disk.dir) in line
    assert os.strerror(code) in line
    assert [file.name for file in disk.dir.rglob("*") if file.is_file()] == [f"{address(0)}.safetensors"]


def test_a_disk_full_halfway_leaves_nothing(disk, warnings, monkeypatch):
    @contextmanager
    def half(path, mode):
        with open(path, mode) as file:

            def write(content):
                file.write(content[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            yield SimpleNamespace(write=write)

    monkeypatch.setattr(module, "open", half, raising=False)
    disk.put("frames", address(), entry(), {})
    assert [file for file in disk.dir.rglob("*") if file.is_file()] == []
    assert len(warnings()) == 1


def test_an_unreadable_entry_is_a_miss_said_once(disk, write, warnings, monkeypatch):
    write(0)
    monkeypatch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
    assert [disk.get("frames", address(0)) for _ in range(3)] == [None] * 3
    assert len(warnings()) == 1
    assert exists(disk.dir, "frames", address(0))


def test_an_interrupted_write_leaves_nothing(disk, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        disk.put("frames", address(), entry(), {})
    assert [file for file in disk.dir.rglob("*") if file.is_file()] == []


def test_a_folder_cleared_while_writing_is_made_again(disk, warnings, monkeypatch):
    replace, cleared = os.replace, []

    def clear(source, target):
        if not cleared:
            cleared.append(source)
            os.unlink(source)
            os.rmdir(os.path.dirname(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", clear)
    disk.put("frames", address(), entry(), {})
    assert same(disk.get("frames", address()), entry())
    assert warnings() == []


def test_too_large_an_entry_is_said_once_and_costs_the_others_nothing(tmp_path, warnings):
    disk = DiskCache(tmp_path, 3000)
    disk.put("frames", address(0), entry(0), {})
    for number in range(1, 4):
        disk.put("frames", address(number), {"frames": torch.zeros(4000)}, {})
        assert disk.get("frames", address(number)) is None
    assert same(disk.get("frames", address(0)), entry(0))
    disk.put("frames", address(4), entry(4), {})
    assert same(disk.get("frames", address(4)), entry(4))
    assert len(warnings()) == 1


def test_no_room_at_all_is_no_fault(tmp_path, warnings):
    disk = DiskCache(tmp_path / "cache", 0)
    disk.put("frames", address(), entry(), {})
    assert disk.get("frames", address()) is None
    assert not disk.dir.exists()
    assert warnings() == []


def test_the_users_umask_decides_who_may_read(disk):
    old = os.umask(0o027)
    try:
        disk.put("frames", address(), entry(), {})
    finally:
        os.umask(old)
    assert place(disk.dir, "frames", address()).stat().st_mode & 0o777 == 0o640
