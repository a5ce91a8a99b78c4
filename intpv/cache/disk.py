"""DiskCache: entries in a folder, shared by all processes. It may lose an entry; it never stops a run or lies."""

import logging
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from intpv.cache.entry import BadEntry, check, decode, encode
from intpv.regular_file import NotRegular, safetensors_table

# Place: where an entry lies on disk. Imports no torch, so that a dry run can tell what is cached.


ENTRY = re.compile(r"[0-9a-f]{64}\.safetensors")
UNFINISHED = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]+\.tmp")  # being written, or left behind by a killed writer


def place(dir: str | os.PathLike, kind: str, key: str) -> Path:
    """`dir/<kind>/<first 2 digits>/<key>.safetensors`; raises ValueError for a kind or key that is no name."""
    if not kind.isidentifier() or not ENTRY.fullmatch(f"{key}.safetensors"):
        raise ValueError(f"an entry needs a word and 64 hex digits, got {kind} and {key}")
    return Path(dir, kind, key[:2], f"{key}.safetensors")


def exists(dir: str | os.PathLike, kind: str, key: str) -> bool:
    """Whether there is a file for this entry; only reading it tells whether it is whole."""
    return os.path.isfile(place(dir, kind, key))  # False, too, where one may not look


def unfinished(path: Path) -> Path:
    """A new name beside an entry, no one else's, to write it under."""
    return path.with_name(f".{path.stem}.{os.urandom(8).hex()}.tmp")


# Eviction: room in a folder that several processes fill. The least recently used entries go first.
#
# But none that was used since the walk at hand began: cells walk through their videos in one order, and with more
# entries than room each would be evicted just before it is needed. What comes first stays, the rest is computed anew.
#
# The last use of an entry is its file's mtime. A clock that jumps can make a wrong entry go, nothing worse: an mtime in
# the future counts as now, and is set to now so that the entry grows old like any other.


ABANDONED = 3600 * 10**9  # ns after which an unfinished file's writer is taken for dead
SHARES = 32  # of the limit; a process looks at the folder again after writing one share


def make_room(dir: str | os.PathLike, size: int, max_bytes: int | float, since: int | float = math.inf) -> int | float:
    """Delete entries last used before `since` (ns), the oldest first, until `size` bytes fit under the limit; returns
    how many bytes may be written, 0 for no room.

    That is one share of the limit, or `size`: k processes may together exceed the limit by k shares, since none sees
    what the others have written after it looked. Files that are not the cache's own are left alone.
    """
    if size > max_bytes:
        return 0
    now = time.time_ns()
    total, entries = 0, []
    for file in _files(dir):
        try:
            stat = file.stat(follow_symlinks=False)
        except OSError:
            continue  # gone in the meantime
        if UNFINISHED.fullmatch(file.name):
            # either direction: before a jump back of the clock is as dead; a live writer would merely start again
            total += 0 if abs(now - stat.st_mtime_ns) > ABANDONED and _delete(file.path) else stat.st_size
        elif ENTRY.fullmatch(file.name):
            total += stat.st_size
            entries.append((min(stat.st_mtime_ns, now), stat.st_mtime_ns, file.path, stat.st_size))
            if stat.st_mtime_ns > now:
                touch(file.path)
    wanted = max(size, max_bytes / SHARES)
    for used, _, path, taken in sorted(entries):
        if total + wanted <= max_bytes or used >= since:
            break
        total -= taken if _delete(path) else 0
    return min(wanted, max_bytes - total) if total + size <= max_bytes else 0


def touch(path: str | os.PathLike) -> None:
    """Note that the entry is used now; a folder that cannot be written to stays as it is."""
    now = time.time_ns()
    with suppress(OSError):
        os.utime(path, ns=(now, now))


def _files(dir: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    return _inside(folder.path for folder in _inside(kind.path for kind in _inside([dir])))


def _inside(folders: Iterable[str | os.PathLike[str]]) -> Iterator[os.DirEntry[str]]:
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as found:  # not a folder, or gone in the meantime
            yield from found


def _delete(path: str) -> bool:
    """Whether the file is gone, by this process or another."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


log = logging.getLogger(__name__)


class DiskCache:
    """At most `max_bytes` under `dir`. What is wrong with the folder is said in one warning, then the run goes on.

    There are no locks: an entry appears whole by a rename, and its content follows from its key, so that two writers
    of one key write the same. Nothing is synced; an entry torn by a power cut fails its checksum and is made again.
    """

    def __init__(self, dir: str | os.PathLike, max_bytes: int | float) -> None:
        self.dir = Path(dir)
        self.max_bytes = max_bytes
        self._room: int | float = 0  # bytes to write before the folder must be looked at again
        self._walk: str | None = None
        self._since: int | float = math.inf  # when the walk at hand began; before any, what was used last may go too
        self._full = False  # whether it has found no more room
        self._writable = max_bytes > 0
        self._said: set[str] = set()

    def walk(self, name: str) -> None:
        """Where it is another walk than the one at hand: what earlier ones have used may go."""
        if name != self._walk:
            self._walk, self._since, self._full = name, time.time_ns(), False

    def get(self, kind: str, key: str) -> dict[str, Tensor] | None:
        """The entry's tensors on the CPU, or None. An entry that is not whole is reported, deleted, and None."""
        path = place(self.dir, kind, key)
        try:
            tensors = _read(key, path)
        except FileNotFoundError:
            return None
        except (BadEntry, NotRegular) as error:
            reason = error.strerror if isinstance(error, NotRegular) else error
            self._say(key, f"cache entry {path} is deleted and made again: {reason}")
            with suppress(OSError):
                path.unlink()
            return None
        except OSError as error:
            self._say("folder", f"cache {self.dir} cannot be used, going on without it: {error.strerror}")
            return None
        touch(path)
        return tensors

    def put(self, kind: str, key: str, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
        """Store CPU tensors that are contiguous and share no memory; `about` is readable in the file's metadata."""
        if not self._writable or self._full:
            return
        content = encode(key, tensors, about)
        if len(content) > self._room:
            self._room = make_room(self.dir, len(content), self.max_bytes, self._since)
        if len(content) > self._room:
            size, limit = (f"{number / 1e9:.3g} GB" for number in (len(content), self.max_bytes))
            line = f"cache {self.dir} has no room for {kind} of {size}, its limit is {limit}"
            self._full = len(content) <= self.max_bytes and self._since < math.inf
            self._say("size", line + ": what is in use stays, the rest is made anew each time" * self._full)
            return
        self._room -= len(content)
        path = place(self.dir, kind, key)
        try:
            try:
                _write(path, content)
            except FileNotFoundError:  # someone cleared the folder while we wrote
                _write(path, content)
        except OSError as error:
            self._writable = False  # trying on could take a full disk's last bytes from the run folder
            self._say("folder", f"cache {self.dir} cannot be written, going on without it: {error.strerror}")

    def _say(self, about: str, line: str) -> None:
        if about not in self._said:
            self._said.add(about)
            log.warning(line)


def _read(key: str, path: Path) -> dict[str, Tensor]:
    """The file as a whole, once its head has said that it is an entry and how long."""
    try:
        check(key, safetensors_table(path))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise BadEntry(f"not a whole entry ({error})") from None
    return decode(key, path.read_bytes())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(path)
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        touch(temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
