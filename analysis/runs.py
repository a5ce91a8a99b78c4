"""Runs: the cells of a sweep as read from their run folders."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from intpv.errors import BadInput
from intpv.record.run_folder import RunFolder

GROUPS = ("rearranger", "rope_strategy", "kv_quant", "encoder", "model", "data")
# top-level keys that name no variant: they have columns of their own, or say where a cell runs and under which name
UNNAMED = {"frames", *GROUPS, "sweep", "experiment", "hydra", "logger", "cache", "trainer", "launcher"}
LABELLED = ("rearranger", "rope_strategy", "kv_quant")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there


@dataclass(frozen=True)
class Cell:
    """The options' names carry the overrides in which cells differ: `yarn window=llm`."""

    folder: Path
    rearranger: str
    rope_strategy: str
    frames: int  # F
    kv_quant: str
    encoder: str
    model: str
    data: str
    status: str  # done | running | failed | oom | not started
    reason: str = ""  # why it failed, in one line
    variant: str = ""  # other overrides in which it differs from other cells: `seed=1`
    metrics: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def strategy(self) -> str:
        """What curves and tables call it: the RoPE strategy, with the variant."""
        return f"{self.rope_strategy} {self.variant}".strip()

    def samples(self) -> list[dict]:
        return RunFolder(self.folder).samples()


def read_sweep(folder: str | Path) -> list[Cell]:
    """All cells in `folder`, ordered by strategy, rearranger, frames and falling KV bits. Raises BadInput if none."""
    configs = sorted(Path(folder).glob("*/.hydra/config.yaml"))
    if not configs:
        raise BadInput(f"no cells in {folder}: a cell is a folder with .hydra/config.yaml in it")
    overrides = [_overrides(config.with_name("overrides.yaml")) for config in configs]
    common = set.intersection(*overrides)
    cells = [_read(config, sorted(own - common)) for config, own in zip(configs, overrides, strict=True)]
    return sorted(cells, key=_rank)


def read_cell(folder: str | Path) -> Cell:
    """One cell alone, named by its options: without others nothing tells which overrides set it apart."""
    config = Path(folder) / ".hydra" / "config.yaml"
    if not config.exists():
        raise BadInput(f"{folder} is no cell: a cell is a folder with .hydra/config.yaml in it")
    return _read(config, [])


def _rank(cell: Cell) -> tuple:
    strategy = (cell.rope_strategy != "none", cell.strategy)
    return *strategy, cell.rearranger, cell.frames, kv_rank(cell.kv_quant), cell.name


def kv_rank(kv_quant: str) -> tuple:
    """Full precision first, then falling bits as far as names tell them: none, int8, int4, int2, kivi."""
    if kv_quant.split()[0] == "none":
        return (float("-inf"), kv_quant)
    bits = re.search(r"\d+", kv_quant.split()[0])
    return (-int(bits.group()) if bits else 0, kv_quant)


def _read(config: Path, overrides: list[str]) -> Cell:
    folder = config.parents[1]
    frames = _yaml(config)["frames"]
    choices = _yaml(config.with_name("hydra.yaml"))["hydra"]["runtime"]["choices"]
    own = {group: [o.removeprefix(f"{group}.") for o in overrides if o.startswith(f"{group}.")] for group in LABELLED}
    others = [override for override in overrides if override.split(".")[0] not in LABELLED]
    status = _json(folder / "status.json")
    return Cell(
        folder=folder,
        **{group: " ".join([str(choices[group]), *own.get(group, ())]) for group in GROUPS},
        frames=int(frames),
        status=status.get("status", "not started"),
        reason=_reason(status.get("error")),
        variant=" ".join(others),
        metrics={name: value for name, value in _json(folder / "metrics.json").items() if value is not None},
    )


def _reason(error: dict | str | None) -> str:
    """One line of the error in status.json: {type, message, traceback}, or a text whose last line says it."""
    if isinstance(error, dict):
        error = f"{error['type']}: {error['message']}".splitlines()[0]
    return (error or "").strip().split("\n")[-1]


def _overrides(file: Path) -> set[str]:
    """What the command line and the sweep set: `key=value` without Hydra's + and ~, less what UNNAMED lists."""
    overrides = [one.lstrip("+~") for one in (_yaml(file) or [])] if file.exists() else []
    chosen = (one for one in overrides if re.split("[=@]", one)[0] not in UNNAMED)
    return {one for one in chosen if one.split(".")[0] not in UNNAMED - set(GROUPS)}


def _yaml(path: Path):
    return yaml.load(path.read_text(encoding="utf-8"), _LOADER)


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
