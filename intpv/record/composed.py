"""Composed: what Hydra made of the command line for a cell, as `.hydra/` in its run folder holds it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from intpv.record.damaged import Damaged, read_yaml, stamp


@dataclass(frozen=True)
class Composed:
    """A cell's configuration, and the choices and overrides that it came from."""

    config: dict[str, Any]  # complete, plain
    choices: dict[str, Any]  # group -> option
    overrides: list[str]  # as given on the command line or by the sweep


def read_composed(cell: Path) -> Composed | None:
    """None where there is no .hydra/config.yaml. Raises Damaged for a file that does not hold what it should.

    Files are read once, as long as nobody touches them: there are three per cell, and YAML is slow.
    """
    return _read(cell, *(stamp(cell / ".hydra" / f"{name}.yaml") for name in ("config", "hydra", "overrides")))


@cache
def _read(cell: Path, *_stamps: tuple | None) -> Composed | None:
    folder = cell / ".hydra"
    config = read_yaml(folder / "config.yaml", _is_config, "a cell's config")
    if config is None:
        return None
    hydra = read_yaml(folder / "hydra.yaml", _has_choices, "Hydra's own config")
    if hydra is None:
        raise Damaged(f"{folder / 'hydra.yaml'} is missing")
    overrides = read_yaml(folder / "overrides.yaml", _is_overrides, "a list of overrides")
    return Composed(config, hydra["hydra"]["runtime"]["choices"], overrides or [])


def _is_config(found: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(found, dict) and type(found.get("frames")) is int


def _has_choices(found: object) -> TypeGuard[dict[str, Any]]:
    for key in ("hydra", "runtime", "choices"):
        found = found.get(key) if isinstance(found, dict) else None
    return isinstance(found, dict)


def _is_overrides(found: object) -> TypeGuard[list[str]]:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)
