"""Damaged: a file of a run folder that a crash, a full disk or a hand has spoilt, said in one line that names it."""

import json
import os
import re
import stat
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import yaml

from intpv.errors import BadInput

KEY = re.compile(rb"^(?=[^\s#-])", re.MULTILINE)  # before a line that is neither indented, nor an item, nor a comment
PLAIN_KEY = re.compile(rb"[A-Za-z_][\w.-]*:(\s|$)")
LONG = 20  # lines below a key that are worth to be taken apart
INDENTED = re.compile(rb"  |\s*$")  # or empty
ALONE = re.compile(rb"[A-Za-z_][\w.-]*:")
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
    """As read_json. Not to be changed: files that say the same under a key share what stands there."""
    return _read(file, parse_yaml, valid, what)


def parse_yaml(content: bytes) -> object:
    """What yaml.load gives, key by key: the files of a sweep's cells differ in a few lines, and what stands under a key
    is read once for all of them. Raises YAMLError."""
    start, *blocks = KEY.split(content)
    if start.strip() or not all(map(PLAIN_KEY.match, blocks)):
        return yaml.load(content, _LOADER)
    try:
        found = [_block(block) for block in blocks]
    except yaml.YAMLError:  # it may be whole all the same, as where one key refers to another
        found = []
    if not found or not all(isinstance(one, dict) and len(one) == 1 for one in found):
        return yaml.load(content, _LOADER)
    return {key: value for one in found for key, value in one.items()}


@lru_cache(maxsize=4096)
def _block(block: bytes) -> Any:
    """A key with all that is indented below it."""
    head, _, below = block.partition(b"\n")
    lines = below.splitlines(keepends=True)
    if not (ALONE.fullmatch(head) and len(lines) > LONG and all(map(INDENTED.match, lines))):
        return yaml.load(block, _LOADER)
    inside = b"".join(line.removeprefix(b"  ") for line in lines)
    return dict.fromkeys(yaml.load(head, _LOADER), parse_yaml(inside))


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
