"""Lock: one process at a time runs a cell; the system takes the lock back when that process ends, however it ends."""

import errno
import fcntl
import logging
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from intpv.errors import BadInput

log = logging.getLogger(__name__)
FILE = ".lock"
TAKEN = (errno.EACCES, errno.EAGAIN)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# mounts on which a lock is taken without a word and no other machine hears of it: type -> options, "" for always
ON_ONE_MACHINE = {
    "nfs": ("nolock", "local_lock=all", "local_lock=posix"),
    "cifs": ("nobrl",),
    "lustre": ("localflock",),
    "fuse.sshfs": ("",),
}
_held: set[tuple[int, Path]] = set()  # (process, file): the system lets a process take a lock that it has


class Occupied(BadInput):
    """Another run is at this cell."""


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the cell; raises Occupied with who holds it, and since when. Says so where nothing can be locked.

    A record lock of fcntl: NFS carries it between machines, and no child inherits it, as it would one of flock.
    """
    file = folder.resolve() / FILE
    mine = (os.getpid(), file)
    if mine in _held:
        raise Occupied(f"{folder.name} is being run by this very process")
    file.parent.mkdir(parents=True, exist_ok=True)
    _held.add(mine)
    opened = None
    try:
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        _take(opened, folder)
        yield
    finally:
        _held.discard(mine)
        if opened is not None:
            os.close(opened)


def holder(folder: Path) -> str | None:
    """Who holds the cell, None for nobody; takes no lock, so that it is in nobody's way."""
    if sys.platform != "linux":  # the layout of the system's answer is another one
        return None
    try:
        opened = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        asked = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_ = struct.unpack("hhqqi4x", fcntl.fcntl(opened, fcntl.F_GETLK, asked))
        return None if kind == fcntl.F_UNLCK else _note(opened)
    except OSError:
        return None
    finally:
        os.close(opened)


def last_holder(folder: Path) -> str:
    """Who held the cell last, or holds it: `process 12 on node3 since 2026-01-31T12:00:00+00:00`; "" for nobody."""
    try:
        return (folder / FILE).read_bytes()[:500].decode(errors="replace").strip()
    except OSError:
        return ""


def _take(opened: int, folder: Path) -> None:
    try:
        fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            raise Occupied(f"{folder.name} is being run by {_note(opened)}: nothing was changed") from None
        if error.errno not in NO_LOCKS:
            raise
        log.warning("%s cannot be locked (%s): start no second run of it", folder.parent, error.strerror)
    else:
        if kind := on_one_machine(folder):
            log.warning("%s is mounted %s: its locks hold on this machine alone", folder.parent, kind)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    os.ftruncate(opened, 0)
    os.pwrite(opened, f"process {os.getpid()} on {socket.gethostname()} since {since}".encode(), 0)
    with suppress(OSError):
        os.fsync(opened)  # another machine is to read it


def _note(opened: int) -> str:
    return os.pread(opened, 500, 0).decode(errors="replace").strip() or "another process"


def on_one_machine(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Type and option of the mount where they say that locks hold on this machine alone, else nothing."""
    try:
        lines = [line.split(" ") for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    place = folder.resolve()
    around = [line for line in lines if place.is_relative_to(line[1].replace("\\040", " "))]
    if not around:
        return ""
    _, _, kind, options, *_ = max(around, key=lambda line: len(line[1]))
    wanted = ON_ONE_MACHINE.get(kind.replace("nfs4", "nfs"), ())
    found = [option for option in wanted if not option or option in options.split(",")]
    return f"{kind} {found[0]}".strip() if found else ""
