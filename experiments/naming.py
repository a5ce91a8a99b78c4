"""What Hydra needs to know before it composes: a cell's folder name, and where the verbs live."""

from collections.abc import Mapping

from omegaconf import DictConfig, OmegaConf

from intpv.errors import BadInput
from intpv.record.cell import cell_name, config_hash

SCIENCE = ("model", "encoder", "rearranger", "rope_strategy", "kv_quant", "data", "scorer", "experiment")
WHOLE_NUMBERS = {"frames": 1, "seed": 0, "max_new_tokens": 1}  # top-level keys and the least that each may be


def register_resolvers(package: str) -> None:
    """`${cell:}`: the cell's name (choices, frames, hash of the config); `${verbs:}`: this package's import name."""
    OmegaConf.register_new_resolver("cell", _cell, replace=True)
    OmegaConf.register_new_resolver("verbs", lambda: package, replace=True)


def chosen(choices: Mapping[str, str | None]) -> dict[str, str | None]:
    """Group -> option of the groups that say what is measured, out of Hydra's choices of all groups."""
    return {group: choices.get(group) for group in SCIENCE}


def without_hydra(config: DictConfig) -> DictConfig:
    """The config of the cell itself, out of one that Hydra has put its own beside."""
    return OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])


def _cell(*, _root_: DictConfig) -> str:
    """Refuses what no run can fill a folder with: BadInput comes before anything is written."""
    choices = _root_.hydra.runtime.choices
    plain = OmegaConf.to_container(without_hydra(_root_), resolve=True)
    check(plain)
    return cell_name(
        {
            "rearranger": choices.rearranger,
            "rope": choices.rope_strategy,
            "frames": plain["frames"],
            "kv": choices.kv_quant,
            "hash": config_hash(_by_content(plain)),
        }
    )


def _by_content(config: dict) -> dict:
    """Calibration and LoRA as the hash of their bytes: two files of one name are two cells, one anywhere is one."""
    # both imports load torch, which other cells need not wait for here
    source, lora = config["kv_quant"].get("calibration", "dynamic"), config["model"].get("lora")
    if source not in ("dynamic", None):
        from intpv.kv_quant.calibration import read

        config = {**config, "kv_quant": {**config["kv_quant"], "calibration": read(source)[1]}}
    if lora is not None:
        from intpv.model.merging import content

        config = {**config, "model": {**config["model"], "lora": content(lora)}}
    return config


def check(config: dict) -> None:
    """BadInput for top-level keys of the wrong type."""
    for key, least in WHOLE_NUMBERS.items():
        if type(config[key]) is not int or config[key] < least:
            raise BadInput(f"{key} must be a whole number of at least {least}, got {config[key]}")
