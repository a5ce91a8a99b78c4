"""Key: the address of an entry, made from everything its content depends on."""

import hashlib
import json
import math
import os
from collections.abc import Mapping

PLAIN = (int, str, bool, type(None))  # nothing of these very types is refused
FORMAT = 2  # of keys and of entries on disk; raise it whenever either changes its meaning


def key(kind: str, /, **parts: object) -> str:
    """64 hex digits from the kind of entry and plain values: the same in every process and on every machine.

    Plain are None, bool, int, finite float, str, lists and tuples (alike) and dicts with str keys (in any order).
    1, 1.0 and True are three different values. Raises TypeError for others and ValueError for NaN and infinity.
    """
    content = [FORMAT, kind, {name: _plain(value, f"{kind}.{name}") for name, value in parts.items()}]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object, name: str) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a cache key takes finite numbers, got {value} for {name}")
        return value
    if isinstance(value, list | tuple):
        return [  # an order has hundreds of numbers
            item if type(item) in PLAIN else _plain(item, f"{name}[{place}]") for place, item in enumerate(value)
        ]
    if isinstance(value, Mapping):
        for label in value:
            if not isinstance(label, str):  # JSON would make 1 and "1" the same
                raise TypeError(f"a cache key takes dicts with str keys, got {type(label).__name__} in {name}")
        return {label: _plain(item, f"{name}.{label}") for label, item in value.items()}
    raise TypeError(f"a cache key takes plain values, got {type(value).__name__} for {name}")


# The hash of a file's content, read once per process.


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
