"""Plan: the cells of a sweep, what is left to do of each, and the order in which they share most."""

import copy
import json
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict

from intpv.errors import BadInput
from intpv.record.atomic import write_json, write_text
from intpv.record.cell_id import config_hash, portable
from intpv.record.damaged import Damaged, read_bytes, read_json, set_aside
from intpv.record.run_folder import SCHEMA, RunFolder, State, is_newer

from ..run.cell_config import CellConfig, without_hydra
from ..run.names import cell_folder, chosen, named

RETRY = {None: (), "failed": ("failed",), "oom": ("oom",), "all": ("failed", "oom")}
SEEN_BY_TOWER = ("data", "video", "encoder", "model", "rearranger", "frames", "seed")
NOT_IN_PREFIX = ("kv_quant", "kv_evict", "scorer", "measure")
FIXED = "sweep.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planned:
    """One cell as plain data: what a worker needs, and how a user repeats it."""

    folder: Path
    config: CellConfig
    choices: Mapping[str, Any]  # group -> option
    overrides: list[str]
    log_config: dict[str, Any]  # of logging.config.dictConfig

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> State:
        return RunFolder(self.folder).state()

    @property
    def status(self) -> str | None:
        return self.state.status

    @property
    def prefix_key(self) -> str:
        """Cells with equal keys have the same prefixes before packing."""
        return prefix_key(self.config)

    @property
    def tower_key(self) -> str:
        """Cells with equal keys have the same tower outputs."""
        return tower_key(self.config)


def tower_key(config: CellConfig) -> str:
    """The same for two configs whose towers give the same outputs."""
    seen = {key: value for key, value in config.items() if key in SEEN_BY_TOWER}
    return config_hash(
        {**seen, **_as_given(config, "model", "video"), "side": config["budget"].get("side")}
    )  # a budget that shows the tower fewer pixels


def prefix_key(config: CellConfig) -> str:
    """The same for two configs whose prefixes are the same before packing."""
    kept = {key: value for key, value in config.items() if key not in NOT_IN_PREFIX}
    if config["kv_evict"].get("early"):  # what is cut as it is read, under a cap that may depend on its codes
        kept |= {"kv_evict": config["kv_evict"], "kv_quant": config["kv_quant"]}
    if observers := config["kv_evict"].get("observers"):  # whose queries are kept beside the prefix
        kept |= {"observers": observers}
    if config["passes"].get("pack") == "early":  # what is read as it is packed
        kept |= {"kv_quant": config["kv_quant"]}
    return config_hash({**kept, **_as_given(config, "model", "video"), "rope_strategy": _scaling(config)})


def answer_key(config: CellConfig) -> str:
    """The same for two configs whose results are the same."""
    given = _as_given(config, "model", "video", "kv_quant")
    return config_hash({**config, **given, "rope_strategy": _scaling(config)})


def _as_given(config: Mapping[str, Any], *groups: str) -> dict[str, str]:
    """With whole paths, of which `config_hash` takes the last part alone: two files of one name are not shared."""
    return {"given": json.dumps([config[group] for group in groups], sort_keys=True)}


def _scaling(config: CellConfig) -> Mapping[str, Any] | None:
    """None up to the trained number of frames: s is 1 there, at which every strategy of ours is the model's own RoPE,
    bit for bit."""
    rope = config["rope_strategy"]
    as_trained = (
        config["frames"] <= config["encoder"].get("num_frames", 0)
        and rope.get("factor", "auto") == "auto"
        and rope.get("window", "visual") == "visual"
        and str(rope.get("_target_")).startswith("intpv.rope_strategy.")
    )
    return None if as_trained else rope


def distinct(cells: Sequence[Planned]) -> list[Planned]:
    """One of each name. Raises BadInput where two different cells would fill one folder."""
    found: dict[str, Planned] = {}
    for cell in cells:
        other = found.setdefault(cell.name, cell)
        if other is not cell and (difference := _first_difference(_result(other), _result(cell))) is not None:
            key, one, two = difference
            raise BadInput(f"two cells would be named {cell.name}: one with {key}={one}, one with {key}={two}")
    return list(found.values())


def left(cells: Sequence[Planned], retry: str | None) -> list[Planned]:
    """Cells that are not done; failed ones only as `sweep.retry` says. BadInput where one is of a newer intpv."""
    if retry not in RETRY:
        raise BadInput(f"sweep.retry must be null, failed, oom or all, got {retry}")
    states = [(cell, cell.state) for cell in cells]
    for _, state in states:
        if state.status == "newer":
            raise BadInput(state.reason)
    return [cell for cell, state in states if state.status in (None, "running", "damaged", *RETRY[retry])]


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


def claim(folder: Path, cells: Sequence[Planned], searched: Collection[str] = ()) -> None:
    """Note what all cells of the sweep have in common; BadInput if the folder holds a sweep of another kind.

    A value swept over in either of the two may differ: a sweep can grow. A value fixed in both must be the same, or
    the cells would be compared on different questions, models or settings without a word. Of a search's first cell
    alone nobody could tell: what is `searched` over, by key or group, is swept whatever the cells are.
    """
    flat = [_comparable(cell) for cell in cells]
    keys = {key for one in flat for key in one}
    swept = {key for key in keys if len({json.dumps(one.get(key)) for one in flat}) > 1}
    swept |= {key for key in keys if any(key == one or key.startswith(f"{one}.") for one in searched)}
    # the shortest first: `seed` says what `video.seed`, which follows it, only repeats
    fixed = {key: flat[0].get(key) for key in sorted(keys - swept, key=lambda key: (key.count("."), key))}
    before = _claimed(folder / FIXED)
    if before is not None:
        for key, value in fixed.items():
            if before.get(key, value) != value:
                raise BadInput(
                    f"{folder} holds a sweep with {key}={before[key]}, this one has {key}={value}: "
                    "give it a name of its own, sweep.name=..."
                )
        fixed = {key: value for key, value in before.items() if key not in swept}
    write_json(folder / FIXED, {"schema": SCHEMA, "fixed": fixed})


def _claimed(file: Path) -> dict | None:
    try:
        found = read_json(file, _is_claim, "what a sweep's cells have in common")
    except Damaged as damage:
        log.warning("%s: set aside as %s, and what it said is not compared", damage, set_aside(file).name)
        return None
    if found and (newer := is_newer(file, found)):
        raise BadInput(newer)
    return found and found["fixed"]


def _is_claim(found: object) -> bool:
    return isinstance(found, dict) and isinstance(found.get("fixed"), dict) and type(found.get("schema", 0)) is int


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


# Job: between Hydra's composed config of one cell and the plain data that a plan is made of.


def planned(config: DictConfig, plain: CellConfig, choices: Mapping[str, Any], sweep_folder: str) -> Planned:
    """Nothing below knows Hydra's configuration objects. `plain` and `choices` are those of `config`, as plain data,
    `sweep_folder` its hydra.sweep.dir."""
    sweep = config.hydra.sweep
    named_by_us = sweep._get_node("subdir")._value() == "${cell:}"  # what it stands for takes long to resolve
    folder = Path(os.path.abspath(sweep_folder), cell_folder(plain, choices) if named_by_us else sweep.subdir)
    own = cast(CellConfig, {**plain, "sweep": dict(plain["sweep"])})
    again = named(own, folder)
    return Planned(folder, own, chosen(choices), [*config.hydra.overrides.task, *again], {})


def prepared(cell: Planned, config: DictConfig, number: int, write: bool) -> Planned:
    """The cell as a worker takes it; `write` its `.hydra/`. `number` is Hydra's of the job."""
    config = copy.deepcopy(config)
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
        config.hydra.runtime.output_dir = str(cell.folder)
    HydraConfig.instance().set_config(config)
    log_config = cast(dict[str, Any], OmegaConf.to_container(config.hydra.job_logging, resolve=True))
    log_config["handlers"].pop("console", None)  # warnings reach the screen as events
    for logger in (log_config.get("root"), *log_config.get("loggers", {}).values()):
        logger["handlers"] = [handler for handler in logger.get("handlers", ()) if handler != "console"]
    if write:
        _write_config(config)
    return replace(cell, log_config=log_config)


def _write_config(config: DictConfig) -> None:
    """`.hydra/` as Hydra writes it for a job of its own launchers."""
    folder = Path(config.hydra.runtime.output_dir, ".hydra")
    if os.path.lexists(folder) and not folder.is_dir():
        set_aside(folder)
    folder.mkdir(parents=True, exist_ok=True)
    task, hydra = without_hydra(config), OmegaConf.masked_copy(config, ["hydra"])
    for name, part in (("config", task), ("hydra", hydra), ("overrides", config.hydra.overrides.task)):
        file = folder / f"{name}.yaml"
        try:
            read_bytes(file)
        except Damaged:  # said when the cell is run
            set_aside(file)
        write_text(file, OmegaConf.to_yaml(part))


def searches(sweeper: Mapping[str, Any]) -> bool:
    """Whether it finds its cells as it goes, by the values of those before."""
    return str(sweeper.get("_target_", "")).rpartition(".")[2] != BasicSweeper.__name__


def searched(config: DictConfig, job_overrides: Sequence[Sequence[str]]) -> set[str]:
    """Keys and groups that a sweeper gives values which the command line does not; none of one that does not search."""
    if not searches(config.hydra.sweeper):
        return set()
    fixed = set(config.hydra.overrides.task)
    found = {line for overrides in job_overrides for line in overrides if line not in fixed}
    return {line.split("=")[0].lstrip("+~") for line in found}


def objective(folder: Path) -> float | None:
    """What sweepers that search (Optuna, Ax) go by: a done cell's skill, of a benchmark without bounds its accuracy.

    None where skill is undefined: it and accuracy are not to be mixed in one search.
    """
    metrics = RunFolder(folder).metrics()
    return metrics.get("skill" if "ceiling" in metrics else "accuracy")


def returned(cell: Planned) -> JobReturn:
    """As if Hydra had run the cell as a job."""
    value = objective(cell.folder) if cell.status == "done" else None
    status = JobStatus.COMPLETED
    return JobReturn(cell.overrides, _return_value=value, status=status, task_name="evaluate")
