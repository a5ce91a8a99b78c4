"""Atomic writing: a file is either the old one or the new one, whenever the process ends."""

import json
import os
from contextlib import suppress
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Replace the file's content at once, in UTF-8; half a character, as a file name may hold, is escaped."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file's content at once: a temporary file beside it, synced, takes its place; readable as umask says.

    An OSError names `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        try:
            with open(temporary, "xb") as file:  # not tempfile, whose files are private whatever the user's umask
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_json(path: Path, content: dict) -> None:
    """One key per line, in the order given; NaN and infinity are no JSON and raise ValueError."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
