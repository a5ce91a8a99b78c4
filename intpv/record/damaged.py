"""Damaged: a file of a run folder that a crash, a full disk or a hand has spoilt, said in one line that names it."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeGuard, TypeVar

import yaml

from intpv.errors import BadInput

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there


Content = TypeVar("Content")  # of a file that is what it should be


class Damaged(BadInput):
    """The file cannot be believed; its cell counts as not done."""


def read_bytes(file: Path) -> bytes | None:
    """The content; None where there is no such file."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise Damaged(f"{file} is no regular file")
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Damaged(f"{file} cannot be read: {error.strerror}") from None


def read_json(file: Path, valid: Callable[[object], bool], what: str) -> dict | None:
    """The content where `valid` says that it is `what`; None where there is no such file."""
    return _read(file, parse_json, valid, what)


def read_yaml(file: Path, valid: Callable[[object], TypeGuard[Content]], what: str) -> Content | None:
    """As read_json."""
    return _read(file, lambda content: yaml.load(content, _LOADER), valid, what)


def parse_json(content: bytes) -> object:
    """Raises ValueError for whatever is no JSON in UTF-8, NaN included, which Python's own reader takes."""
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def stamp(file: Path) -> tuple | None:
    """The same as long as nobody touches the file; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def set_aside(file: Path) -> Path:
    """Out of the way under a name of its own, for whatever it is, it may hold what somebody wants back."""
    number = 0
    while os.path.lexists(aside := file.with_name(f"{file.name}.damaged{number or ''}")):
        number += 1
    file.rename(aside)
    return aside


def _read(file: Path, parse: Callable, valid: Callable[[object], bool], what: str):
    content = read_bytes(file)
    if content is None:
        return None
    if not content.strip():
        raise Damaged(f"{file} is empty")
    try:
        found = parse(content)
    except (ValueError, yaml.YAMLError):  # not text, cut off, or something else altogether
        raise Damaged(f"{file} is no {file.suffix[1:].upper()}") from None
    if not valid(found):
        raise Damaged(f"{file} does not hold {what}")
    return found


def _refuse(constant: str):
    raise ValueError(f"{constant} is no JSON")
