"""Place: where an entry lies on disk. Imports no torch, so that a dry run can tell what is cached."""

import os
import re
from pathlib import Path

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
