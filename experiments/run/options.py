"""Options: which groups, options and keys there are, read from the files of conf/ and of a user's own config folder."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import yaml

from intpv.options import CONF, config_folders, homes

GLOBAL = ("experiment", "local", "debug")  # groups whose files begin with `# @package _global_`


@cache
def groups_and_keys() -> tuple[list[str], list[str]]:
    """What conf/config.yaml is made of: the groups that must be there, and the other top-level keys but `hydra`.

    Without GLOBAL, whose options are keys of other groups.
    """
    content = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
    listed = [key for entry in content.pop("defaults") if isinstance(entry, dict) for key in entry]
    groups = [key for key in listed if not key.startswith(("override ", "optional ")) and key not in GLOBAL]
    return groups, [key for key in content if key != "hydra"]


def options_of(group: str) -> list[str]:
    """The options that a group has, by name."""
    return sorted(homes(group))


def instead(group: str) -> str:
    """What to write where a user wants none of a group."""
    none = next((option for option in ("none", "off") if option in options_of(group)), None)
    return f"{group}={none} does without" if none else f"it is one of {', '.join(options_of(group))}"


def known_keys() -> list[str]:
    """Groups and dotted keys of every option, read from the files: a key may belong to an option not chosen."""
    return _known_keys(config_folders())


@cache
def _known_keys(folders: tuple[Path, ...]) -> list[str]:
    keys = _stated(CONF / "config.yaml")
    for folder in folders:
        for file in (*folder.glob("*/*.yaml"), *folder.glob("*/base/*.yaml")):  # base/ holds what options inherit
            group = file.relative_to(folder).parts[0]
            if group not in (*GLOBAL, "hydra", "wandb"):
                keys |= {group, *(f"{group}.{key}" for key in _stated(file))}
    return sorted(keys)


def _stated(file: Path) -> set[str]:
    return set(yaml.safe_load(file.read_text(encoding="utf-8")) or ()) - {"defaults"}


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message: what was probably meant, if anything."""
    found = get_close_matches(name, known, n=1)
    return f": did you mean {found[0]}?" if found else ""
