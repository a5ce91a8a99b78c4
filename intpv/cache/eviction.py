"""Eviction: room in a folder that several processes fill. The least recently used entries go first.

The last use of an entry is its file's mtime. A clock that jumps can make a wrong entry go, nothing worse: an mtime in
the future counts as now, and is set to now so that the entry grows old like any other.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from intpv.cache.place import ENTRY, UNFINISHED

ABANDONED = 3600 * 10**9  # ns after which an unfinished file's writer is taken for dead
SHARES = 32  # of the limit; a process looks at the folder again after writing one share


def make_room(dir: str | os.PathLike, size: int, max_bytes: int | float) -> int | float:
    """Delete old entries until `size` bytes fit under the limit; returns how many bytes may be written, 0 for no room.

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
    for _, _, path, taken in sorted(entries):
        if total + wanted <= max_bytes:
            break
        total -= taken if _delete(path) else 0
    return min(wanted, max_bytes - total) if total + size <= max_bytes else 0


def touch(path: str | os.PathLike) -> None:
    """Note that the entry is used now; a folder that cannot be written to stays as it is."""
    now = time.time_ns()
    with suppress(OSError):
        os.utime(path, ns=(now, now))


def _files(dir: str | os.PathLike) -> Iterator[os.DirEntry]:
    return _inside(folder.path for folder in _inside(kind.path for kind in _inside([dir])))


def _inside(folders: Iterable[str | os.PathLike]) -> Iterator[os.DirEntry]:
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
