"""Names: of a cell's folder and of a sweep's, which Hydra asks for before anything is loaded."""

import re
from collections.abc import Mapping
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from intpv.cache.hashing import file_hash
from intpv.record.cell_id import cell_name, config_hash, portable
from intpv.shipped import shipped

from .cell_config import CellConfig, plain_config
from .model_settings import own_content

PACKAGE = __package__.rpartition(".")[0]  # experiments; in the wheel intpv.experiments
SCIENCE = (
    *("model", "encoder", "rearranger", "rope_strategy", "kv_quant", "kv_evict", "budget"),
    *("data", "scorer", "experiment"),
)
LONGEST_AXES = 80  # characters of the axes in a sweep's name


def register_resolvers() -> None:
    """`${cell:}`: the cell's name (choices, frames, hash of the config); `${verbs:}`: PACKAGE.

    `${folder:}`: the sweep's name, for a nameless one the axes with a hash, or what is given: `${folder:single}`.
    """
    OmegaConf.register_new_resolver("cell", _cell, replace=True)
    OmegaConf.register_new_resolver("folder", _folder, replace=True)
    OmegaConf.register_new_resolver("verbs", lambda: PACKAGE, replace=True)


def chosen(choices: Mapping[str, str | None]) -> dict[str, str | None]:
    """Group -> option of the groups that say what is measured, out of Hydra's choices of all groups."""
    return {group: choices.get(group) for group in SCIENCE}


def named(config: CellConfig, folder: Path) -> list[str]:
    """Put the name of a nameless sweep into the plain config; the overrides that one cell needs to get there again."""
    again = [] if config["sweep"]["name"] else [f"sweep.name={folder.parent.name}"]
    config["sweep"]["name"] = config["sweep"]["name"] or folder.parent.name
    return again + elsewhere(config["sweep"]["name"], folder)


def elsewhere(sweep: str, folder: Path) -> list[str]:
    """The override that leads to a cell's folder where it is not below runs/: hydra.sweep.dir or hydra.run.dir."""
    if folder.absolute() == Path("runs", sweep, folder.name).absolute():
        return []
    plain = re.fullmatch(r"[\w./-]+", str(folder))
    return [f"hydra.run.dir={folder}" if plain else "hydra.run.dir='{}'".format(str(folder).replace("'", "\\'"))]


def _cell(*, _root_: DictConfig) -> str:
    return cell_folder(plain_config(_root_), _root_.hydra.runtime.choices)


def cell_folder(config: CellConfig, choices: Mapping[str, str | None]) -> str:
    """`${cell:}` of a plain config whose parts are valid: validation.py has seen them before any folder is named."""
    return cell_name(
        {
            "rearranger": choices["rearranger"],
            "rope": choices["rope_strategy"],
            "frames": config["frames"],
            "kv": choices["kv_quant"],
            "hash": config_hash(_by_content(config)),
        }
    )


def _folder(nameless: str = "", *, _root_: DictConfig) -> str:
    """Worked out once, on the config of the whole multirun: those of its cells know no axes, but get Hydra's cache."""
    if _root_.sweep.name or nameless:
        return _root_.sweep.name or nameless
    known = OmegaConf.get_cache(_root_)["folder"]
    if not known:
        known["name"] = _name_of_axes(_root_)
    return known["name"]


def _name_of_axes(config: DictConfig) -> str:
    """`frames-kv_quant-0123abcd`: what is swept, and a hash of its values and of all that is fixed.

    The same for the same cells, in whatever order they are given and whatever logger, cache, retry or device.
    """
    given = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*given, *config.hydra.overrides.task])
    swept = {one.key_or_group: one for one in overrides if one.is_sweep_override()}
    axes = {key: _values(one) for key, one in swept.items()}
    fixed = {one.key_or_group: one.input_line for one in overrides[: len(given)] if one.key_or_group not in swept}
    content = _by_content(plain_config(config))
    choices = chosen(config.hydra.runtime.choices)
    digits = config_hash({"cells": portable(content), "choices": choices, "axes": axes, "params": fixed})[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', '-'.join(sorted(axes)))[:LONGEST_AXES] or 'sweep'}-{digits}"


def _values(axis: Override) -> list[str] | str:
    """Choices in whatever order they are given; a range as it is written."""
    if axis.is_choice_sweep():
        return sorted(map(str, axis.sweep_string_iterator()))
    return str(axis.input_line).split("=", 1)[1]


def calibration_sha256(config: CellConfig) -> str | None:
    """Of the bytes that the cell's ranges come from; None where they are dynamic."""
    source, model = config["kv_quant"].get("calibration", "dynamic"), config["model"]
    if source in ("dynamic", None):
        return None
    from intpv.kv_quant.calibration import read  # loads torch, as above

    if source == "embedded" and "recipe" in model and not model.get("path"):
        source = str(shipped(model["recipe"], model.get("seed", 0)) / "calibration.safetensors")
    return read(source)[1]


def _by_content(config: CellConfig) -> CellConfig:
    """Calibration, LoRA, scores and models that our verbs trained as the hash of their bytes: two files of one name are
    two cells, one anywhere is one."""
    lora, scores = config["model"].get("lora"), config["video"].get("scores")
    if (digest := calibration_sha256(config)) is not None:
        config = {**config, "kv_quant": {**config["kv_quant"], "calibration": digest}}
    if lora is not None:
        from intpv.model.loading.lora import content  # loads torch, which other cells need not wait for here

        config = {**config, "model": {**config["model"], "lora": content(lora)}}
    if (hashes := own_content(config["model"])) is not None:  # trainings of a kind leave their models under one name
        config = {**config, "model": {**config["model"], "path": hashes}}
    if scores is not None and Path(scores).expanduser().is_file():  # where it is not, the reader says so
        config = {**config, "video": {**config["video"], "scores": file_hash(str(Path(scores).expanduser()))}}
    return config
