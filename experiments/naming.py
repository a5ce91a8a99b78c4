"""What Hydra needs to know before it composes: a cell's folder name, and where the verbs live."""

from omegaconf import DictConfig, OmegaConf

from intpv.errors import BadInput
from intpv.record.cell import cell_name, config_hash

WHOLE_NUMBERS = {"frames": 1, "seed": 0, "max_new_tokens": 1}  # top-level keys and the least that each may be


def register_resolvers(package: str) -> None:
    """`${cell:}`: the cell's name (choices, frames, hash of the config); `${verbs:}`: this package's import name."""
    OmegaConf.register_new_resolver("cell", _cell, replace=True)
    OmegaConf.register_new_resolver("verbs", lambda: package, replace=True)


def _cell(*, _root_: DictConfig) -> str:
    """Refuses what would name a folder that no run can fill: BadInput comes before anything is written."""
    choices = _root_.hydra.runtime.choices
    plain = OmegaConf.to_container(
        OmegaConf.masked_copy(_root_, [key for key in _root_ if key != "hydra"]), resolve=True
    )
    for key, least in WHOLE_NUMBERS.items():
        if type(plain[key]) is not int or plain[key] < least:
            raise BadInput(f"{key} must be a whole number of at least {least}, got {plain[key]}")
    return cell_name(
        {
            "rearranger": choices.rearranger,
            "rope": choices.rope_strategy,
            "frames": plain["frames"],
            "kv": choices.kv_quant,
            "hash": config_hash(plain),
        }
    )
