"""The hash of a file's content, read once per process."""

import hashlib
import os

_known: dict[tuple[str, int, int, int], str] = {}  # real path, size, mtime in ns, inode -> hash


def file_hash(path: str | os.PathLike) -> str:
    """SHA-256 of the content, 64 hex digits. Raises OSError for a file that cannot be read.

    A file already hashed by this process is not read again while its path, size, mtime and inode stay as they were:
    content that is changed in place with the mtime set back goes unnoticed until the next process.
    """
    with open(path, "rb") as file:
        stat = os.fstat(file.fileno())  # before reading: what is written meanwhile gives the file another mtime
        identity = (os.path.realpath(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if identity not in _known:
            _known[identity] = hashlib.file_digest(file, "sha256").hexdigest()
        return _known[identity]
