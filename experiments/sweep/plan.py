"""Plan: the cells of a sweep, what is left to do of each, and the order in which they share most."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from intpv.errors import BadInput
from intpv.record.atomic import write_json
from intpv.record.cell import config_hash, portable
from intpv.record.run_folder import RunFolder

RETRY = {None: (), "failed": ("failed",), "oom": ("oom",), "all": ("failed", "oom")}
SEEN_BY_TOWER = ("data", "video", "encoder", "model", "rearranger", "frames", "seed")
NOT_IN_PREFIX = ("kv_quant", "scorer", "measure")
FIXED = "sweep.json"


@dataclass(frozen=True)
class Planned:
    """One cell as plain data: what a worker needs, and how a user repeats it."""

    folder: Path
    config: dict
    choices: dict
    overrides: list[str]
    log_config: dict  # of logging.config.dictConfig

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def status(self) -> str | None:
        return RunFolder(self.folder).status()

    @property
    def prefix_key(self) -> str:
        """Cells with equal keys have the same prefixes before packing."""
        return prefix_key(self.config)

    @property
    def tower_key(self) -> str:
        """Cells with equal keys have the same tower outputs."""
        return config_hash({key: self.config[key] for key in SEEN_BY_TOWER})


def prefix_key(config: dict) -> str:
    """The same for two configs whose prefixes are the same before packing."""
    return config_hash({key: value for key, value in config.items() if key not in NOT_IN_PREFIX})


def distinct(cells: Sequence[Planned]) -> list[Planned]:
    """One of each name. Raises BadInput where two different cells would fill one folder."""
    found: dict[str, Planned] = {}
    for cell in cells:
        other = found.setdefault(cell.name, cell)
        if (difference := _first_difference(_result(other), _result(cell))) is not None:
            key, one, two = difference
            raise BadInput(f"two cells would be named {cell.name}: one with {key}={one}, one with {key}={two}")
    return list(found.values())


def left(cells: Sequence[Planned], retry: str | None) -> list[Planned]:
    """Cells that are not done; failed ones only as `sweep.retry` says."""
    if retry not in RETRY:
        raise BadInput(f"sweep.retry must be null, failed, oom or all, got {retry}")
    again = RETRY[retry]
    return [cell for cell in cells if cell.status in (None, "running", *again)]


def batches(cells: Sequence[Planned], workers: int) -> list[list[Planned]]:
    """Cells that share prefixes in one batch, batches that share tower outputs in a row, else as they were given.

    With fewer batches than workers every cell is a batch: an idle GPU costs more than a prefill.
    """
    towers = list(dict.fromkeys(cell.tower_key for cell in cells))
    groups: dict[tuple[int, str], list[Planned]] = {}
    for cell in cells:
        groups.setdefault((towers.index(cell.tower_key), cell.prefix_key), []).append(cell)
    ordered = [groups[key] for key in sorted(groups, key=lambda key: key[0])]
    return ordered if len(ordered) >= workers else [[cell] for group in ordered for cell in group]


def claim(folder: Path, cells: Sequence[Planned]) -> None:
    """Note what all cells of the sweep have in common; BadInput if the folder holds a sweep of another kind.

    A value swept over in either of the two may differ: a sweep can grow. A value fixed in both must be the same, or
    the cells would be compared on different questions, models or settings without a word.
    """
    flat = [_comparable(cell) for cell in cells]
    keys = {key for one in flat for key in one}
    swept = {key for key in keys if len({json.dumps(one.get(key)) for one in flat}) > 1}
    # the shortest first: `seed` says what `video.seed`, which follows it, only repeats
    fixed = {key: flat[0].get(key) for key in sorted(keys - swept, key=lambda key: (key.count("."), key))}
    file = folder / FIXED
    if file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        for key, value in fixed.items():
            if before["fixed"].get(key, value) != value:
                raise BadInput(
                    f"{folder} holds a sweep with {key}={before['fixed'][key]}, this one has {key}={value}: "
                    "give it a name of its own, sweep.name=..."
                )
        fixed = {key: value for key, value in before["fixed"].items() if key not in swept}
    write_json(file, {"fixed": fixed})


def _comparable(cell: Planned) -> dict:
    """Choices first, for they say in a word what their many keys spell out."""
    content = portable(cell.config)
    return {**{group: option for group, option in cell.choices.items() if group in content}, **_flat(content)}


def _result(cell: Planned) -> dict:
    """What the cell's result depends on, places included: two checkpoints may have folders of one name."""
    places = {"model": cell.config["model"], "data": cell.config["data"]}
    return _flat({**portable(cell.config), **places})


def _first_difference(one: dict, two: dict) -> tuple | None:
    return next(((key, one.get(key), two.get(key)) for key in {**one, **two} if one.get(key) != two.get(key)), None)


def _flat(value: object, name: str = "") -> dict:
    if not isinstance(value, dict):
        return {name: value}
    return {key: leaf for part, item in value.items() for key, leaf in _flat(item, f"{name}.{part}".strip(".")).items()}
