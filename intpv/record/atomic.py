"""Atomic writing: a file is either the old one or the new one, whenever the process ends."""

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_text(path: Path, text: str) -> None:
    """Replace the file's content at once, in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file's content at once: a temporary file beside it, synced, takes its place."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)  # temporary files are private, run folders are shared
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def write_json(path: Path, content: dict) -> None:
    """One key per line, in the order given; NaN and infinity are no JSON and raise ValueError."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
