"""The hash of a file is that of its content, and one process reads it once."""

import hashlib
import os

import pytest

from intpv.cache.hashing import file_hash


@pytest.fixture
def reads(monkeypatch):
    """The names of files that were really read."""
    names = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: names.append(file.name) or digest(file, name))
    return names


def test_content_alone_counts(tmp_path):
    one, two, other = (tmp_path / name for name in "abc")
    one.write_bytes(b"video" * 100000)
    two.write_bytes(b"video" * 100000)
    other.write_bytes(b"video" * 99999 + b"vidEo")
    assert file_hash(one) == file_hash(two) == hashlib.sha256(one.read_bytes()).hexdigest()
    assert file_hash(other) != file_hash(one)


def test_a_file_is_read_once_whatever_leads_to_it(tmp_path, reads):
    file, link = tmp_path / "a", tmp_path / "link"
    file.write_bytes(b"video")
    link.symlink_to(file)
    assert len({file_hash(path) for path in (file, str(file), link, file)}) == 1
    assert len(reads) == 1


def test_a_changed_file_is_read_again(tmp_path, reads):
    file = tmp_path / "a"
    hashes = []
    for content in (b"one", b"other", b"three"):
        file.write_bytes(content)
        os.utime(file, ns=(0, len(reads)))  # the clock of file systems is coarse
        hashes.append(file_hash(file))
    replacement = tmp_path / "b"
    replacement.write_bytes(b"THREE")
    os.utime(replacement, ns=(0, 2))
    os.replace(replacement, file)  # same path, size and mtime, another inode
    hashes.append(file_hash(file))
    assert hashes == [hashlib.sha256(content).hexdigest() for content in (b"one", b"other", b"three", b"THREE")]
    assert len(reads) == 4


def test_a_file_still_being_written_is_not_remembered(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_bytes(b"first half")
    digest = hashlib.file_digest

    def slow(open_file, name):
        result = digest(open_file, name)
        with open(file, "ab") as writer:
            writer.write(b", second half")
        return result

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", slow)
        file_hash(file)
    assert file_hash(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_hash(tmp_path / "none")
