"""Runs: the cells of a sweep as read from their run folders."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from intpv.errors import BadInput
from intpv.record.cell_id import counts
from intpv.record.composed import Composed, read_composed
from intpv.record.damaged import Damaged
from intpv.record.run_folder import RunFolder
from intpv.record.samples import Sample

GROUPS = ("rearranger", "rope_strategy", "kv_quant", "encoder", "model", "data")
VARIED = ("encoder", "model", "data")  # part of a variant's name where a sweep has several
SEEDS = ("seed", "data.seed", "model.seed")  # no variants: see seeds.py
# keys with columns of their own, and those that change no answer
UNNAMED = {"frames", *GROUPS, "experiment", "trainer", *SEEDS}
LABELLED = ("rearranger", "rope_strategy", "kv_quant")
UNKNOWN = "?"  # an option of a cell whose .hydra/ is damaged


@dataclass(frozen=True)
class Cell:
    """The options' names carry the overrides in which cells differ: `yarn window=llm`."""

    folder: Path
    rearranger: str
    rope_strategy: str
    frames: int  # F; 0 where .hydra/ is damaged
    kv_quant: str
    encoder: str
    model: str
    data: str
    status: str  # done | running | failed | oom | damaged | newer | not started
    reason: str = ""  # why it failed, or what of it cannot be read, in one line
    recipe: str = ""  # of a model that comes with the package in several trainings
    variant: str = ""  # other overrides in which it differs from other cells: `video.order=shuffled`
    seeds: tuple[tuple[str, int], ...] = ()  # (key, value), those that its config has
    metrics: dict[str, float] = field(default_factory=dict, compare=False)
    parts: tuple["Cell", ...] = ()  # of a mean over seeds: a cell per seed

    @property
    def name(self) -> str:
        return f"{self.folder.name.rpartition('-')[0]} ({len(self.parts)} seeds)" if self.parts else self.folder.name

    @property
    def runs(self) -> tuple["Cell", ...]:
        """The cells that were really run: its parts, or itself."""
        return self.parts or (self,)

    @property
    def split(self) -> int | None:
        """Which questions it answered: cells of one split can be paired."""
        return dict(self.seeds).get("data.seed")

    @property
    def strategy(self) -> str:
        """What curves and tables call it: the RoPE strategy, with the variant."""
        return f"{self.rope_strategy} {self.variant}".strip()

    def samples(self) -> list[Sample]:
        """Of a mean over seeds all lines, as `of_run` names them."""
        if not self.parts:
            return RunFolder(self.folder).samples()
        return [line for part in self.parts for line in of_run(part.samples(), part)]


def of_run(lines: Iterable[Sample], run: Cell) -> list[Sample]:
    """The lines with names for a pool over seeds: a question once per run, a video once per split."""
    seeds, split = ",".join(f"{key}={value}" for key, value in run.seeds), f"data.seed={run.split}"
    return [{**line, "id": f"{seeds}/{line['id']}", "video": f"{split}/{line['video']}"} for line in lines]


def read_sweep(folder: str | Path) -> list[Cell]:
    """All cells in `folder`, ordered by strategy, rearranger, frames and falling KV bits. Raises BadInput if none."""
    found = [*Path(folder).glob("*/status.json"), *Path(folder).glob("*/.hydra/config.yaml")]
    folders = sorted({Path(folder) / file.relative_to(folder).parts[0] for file in found})
    if not folders:
        raise BadInput(f"no cells in {folder}: a cell is a folder with .hydra/config.yaml in it")
    missing = "is missing: it says what was run"
    composed = {cell: _composed(cell) or Damaged(f"{cell}/.hydra/config.yaml {missing}") for cell in folders}
    overrides = {cell: _overrides(found) for cell, found in composed.items() if isinstance(found, Composed)}
    common = set.intersection(*overrides.values()) if overrides else set()
    cells = [_read(cell, found, sorted(overrides.get(cell, common) - common)) for cell, found in composed.items()]
    known = [cell for cell in cells if cell.status != "damaged"]
    varied = [group for group in VARIED if len({getattr(cell, group) for cell in known}) > 1]
    return sorted((_told_apart(cell, varied) for cell in cells), key=_rank)


def read_cell(folder: str | Path) -> Cell:
    """One cell alone, named by its options: without others nothing tells which overrides set it apart."""
    found = _composed(Path(folder))
    if found is None:
        raise BadInput(f"{folder} is no cell: a cell is a folder with .hydra/config.yaml in it")
    return _read(Path(folder), found, [])


def _composed(folder: Path) -> Composed | Damaged | None:
    try:
        return read_composed(folder)
    except Damaged as damage:  # one cell's trouble, to be listed with it
        return damage


def _told_apart(cell: Cell, varied: list[str]) -> Cell:
    names = [f"{group}={getattr(cell, group)}" for group in varied]
    return replace(cell, variant=" ".join([*names, cell.variant]).strip())


def _rank(cell: Cell) -> tuple:
    strategy = (cell.rope_strategy != "none", cell.strategy)
    return *strategy, cell.rearranger, cell.frames, kv_rank(cell.kv_quant), cell.name


def kv_rank(kv_quant: str) -> tuple:
    """Full precision first, then falling bits as far as names tell them: none, int8, int4, int2, kivi."""
    if kv_quant.split()[0] == "none":
        return (float("-inf"), kv_quant)
    bits = re.search(r"\d+", kv_quant.split()[0])
    return (-int(bits.group()) if bits else 0, kv_quant)


def _read(folder: Path, composed: Composed | Damaged, overrides: list[str]) -> Cell:
    if isinstance(composed, Damaged):
        unknown: dict[str, Any] = dict.fromkeys(GROUPS, UNKNOWN)
        return Cell(folder, **unknown, frames=0, status="damaged", reason=str(composed))
    own = {group: [o.removeprefix(f"{group}.") for o in overrides if o.startswith(f"{group}.")] for group in LABELLED}
    options: dict[str, Any] = {
        group: " ".join([str(composed.choices.get(group, UNKNOWN)), *own.get(group, ())]) for group in GROUPS
    }
    others = [override for override in overrides if override.split(".")[0] not in LABELLED]
    run = RunFolder(folder)
    state = run.state()
    return Cell(
        folder=folder,
        **options,
        frames=composed.config["frames"],
        status=state.status or "not started",
        reason=state.reason,
        variant=" ".join(others),
        recipe=str(_value(composed.config, "model.recipe") or ""),
        seeds=tuple((key, seed) for key in SEEDS if isinstance(seed := _value(composed.config, key), int)),
        metrics=_metrics(run) if state.status == "done" else {},
    )


def _metrics(run: RunFolder) -> dict[str, float]:
    return {name: value for name, value in run.metrics().items() if value is not None}


def _overrides(composed: Composed) -> set[str]:
    """What the command line and the sweep set: `key=value` without Hydra's + and ~, as far as it can name a variant."""
    overrides = [one.lstrip("+~") for one in composed.overrides]
    return {one for one in overrides if _is_axis(re.split("[=@]", one)[0])}


def _is_axis(key: str) -> bool:
    """Whether answers may differ with it. What is measured beside them, and where and how fast, makes no variant."""
    return key not in UNNAMED and key.split(".")[0] != "measure" and counts(key)


def _value(content: object, key: str) -> object:
    """None where there is no such key; `${seed}` follows another one."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return content


def run_command(module: str, given: str, write: Callable[[str], Sequence]) -> int:
    """The exit code of `python -m analysis.MODULE FOLDER`, which prints what `write` says of it, a line each."""
    if len(sys.argv) != 2:
        print(f"usage: python -m analysis.{module} {given}", file=sys.stderr)
        return 2
    return say(lambda: write(sys.argv[1]))


def say(make: Callable[[], Sequence]) -> int:
    """The exit code of a verb that prints what `make` gives, a line each, or why it gives nothing."""
    try:
        made = make()
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(*made, sep="\n")
    return 0
