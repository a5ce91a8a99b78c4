"""Regular file: what is asked before a file is read, for a pipe keeps its reader waiting and a device has no end."""

import errno
import json
import os
import stat
from typing import Any

HEADER = 100_000_000  # bytes, the longest table of contents that safetensors itself reads


class NotRegular(OSError):
    """A folder, a pipe, a device or a socket in the place of a file."""


def size_of(path: str | os.PathLike, most: int | None = None) -> int:
    """Bytes, without opening it. Raises OSError for what is no regular file or has more than `most` bytes."""
    state = os.stat(path)
    if stat.S_ISDIR(state.st_mode):
        raise NotRegular(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(state.st_mode):
        raise NotRegular(errno.EINVAL, "Not a regular file", os.fspath(path))
    if most is not None and state.st_size > most:
        raise OSError(errno.EFBIG, f"{state.st_size:,} bytes, at most {most:,} are read", os.fspath(path))
    return state.st_size


def safetensors_table(path: str | os.PathLike) -> dict[str, Any]:
    """The table of contents at the head of a safetensors file: nothing else is read.

    Raises OSError as `size_of`, ValueError for a file without such a table or of another length than it says.
    """
    size = size_of(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(HEADER, size - 8):
            raise ValueError(f"a table of contents of {length:,} bytes in a file of {size:,}")
        table = json.loads(file.read(length))
    if not isinstance(table, dict):
        raise ValueError(f"the table of contents is a {type(table).__name__}")
    ends = [entry["data_offsets"][1] for name, entry in table.items() if name != "__metadata__"]
    if (end := 8 + length + max(ends, default=0)) != size:
        raise ValueError(f"the table of contents promises {end:,} bytes, the file has {size:,}")
    return table
