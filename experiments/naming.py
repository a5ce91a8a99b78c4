"""What Hydra needs to know before it composes: a cell's folder name, and where the verbs live."""

from omegaconf import DictConfig, OmegaConf

from intpv.record.cell import cell_name, config_hash


def register_resolvers(package: str) -> None:
    """`${cell:}`: the cell's name (choices, frames, hash of the config); `${verbs:}`: this package's import name."""
    OmegaConf.register_new_resolver("cell", _cell, replace=True)
    OmegaConf.register_new_resolver("verbs", lambda: package, replace=True)


def _cell(*, _root_: DictConfig) -> str:
    choices = _root_.hydra.runtime.choices
    plain = OmegaConf.to_container(
        OmegaConf.masked_copy(_root_, [key for key in _root_ if key != "hydra"]), resolve=True
    )
    return cell_name(
        {
            "rearranger": choices.rearranger,
            "rope": choices.rope_strategy,
            "frames": plain["frames"],
            "kv": choices.kv_quant,
            "hash": config_hash(plain),
        }
    )
