"""Bounds: a setting that must be a whole number, a text, or true or false; YAML and shells make other things of it."""

import os
from collections.abc import Sequence

from intpv.errors import BadInput


def check_whole(key: str, value: object, least: int = 1, or_null: bool = False) -> None:
    """BadInput unless `value` is a whole number of at least `least`; true is none, nor is 8.0."""
    if (value is None and or_null) or (type(value) is int and value >= least):
        return
    null = " or null" if or_null else ""
    raise BadInput(f"{key} must be a whole number of at least {least}{null}, got {shown(value)}")


def check_list(key: str, value: object, least: int = 1) -> None:
    """BadInput unless `value` is a list, empty or of whole numbers of at least `least`."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise BadInput(f"{key} must be a list of whole numbers, got {shown(value)}")
    for one in value:
        check_whole(f"each of {key}", one, least)


def check_flag(key: str, value: object) -> None:
    """BadInput unless `value` is true or false."""
    if type(value) is not bool:
        raise BadInput(f"{key} must be true or false, got {shown(value)}")


def check_text(key: str, value: object) -> None:
    """BadInput unless `value` is a text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{key} must be a text, got {shown(value)}")


def check_place(key: str, value: object) -> None:
    """BadInput unless `value` is a path; one below a home folder (~) that is not known would be a folder named ~."""
    if not isinstance(value, os.PathLike):
        check_text(key, value)
    if isinstance(value, str | os.PathLike) and os.path.expanduser(value).startswith("~"):
        raise BadInput(f"{key}={value}: that home folder is not known here; export HOME, or give a path without ~")


def shown(value: object) -> str:
    """As YAML and the command line write it; what is empty is said."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if str(value).strip() else "nothing"
