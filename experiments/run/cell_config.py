"""CellConfig: a cell's configuration as plain data, out of the one that Hydra has put its own beside."""

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from omegaconf import DictConfig, OmegaConf


class CellConfig(TypedDict):
    """The groups and keys of conf/config.yaml; what a group holds is for its chosen option to say."""

    frames: int  # F
    seed: int
    max_new_tokens: int
    encoder: Mapping[str, Any]
    model: Mapping[str, Any]
    rearranger: Mapping[str, Any]
    rope_strategy: Mapping[str, Any]
    kv_quant: Mapping[str, Any]
    budget: Mapping[str, Any]
    passes: Mapping[str, Any]
    video: Mapping[str, Any]
    data: Mapping[str, Any]
    scorer: Mapping[str, Any]
    measure: Mapping[str, Any]
    logger: Mapping[str, Any]
    trainer: Mapping[str, Any]
    cache: Mapping[str, Any]
    sweep: dict[str, Any]  # a nameless one is given its name


def plain_config(config: DictConfig) -> CellConfig:
    """With every reference resolved. It is as complete as the user left it: validation.py refuses what lacks a key."""
    return cast(CellConfig, OmegaConf.to_container(without_hydra(config), resolve=True))


def with_choices(config: DictConfig) -> tuple[CellConfig, DictConfig]:
    """The plain config, and the option that each group was chosen from."""
    return plain_config(config), config.hydra.runtime.choices


def without_hydra(config: DictConfig) -> DictConfig:
    """The config of the cell itself, out of one that Hydra has put its own beside."""
    keys: list[Any] = [key for key in config if key != "hydra"]
    return OmegaConf.masked_copy(config, keys)
