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
    kv_evict: Mapping[str, Any]
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
    return cast(CellConfig, {str(key): plain_value(config, str(key)) for key in config if key != "hydra"})


def plain_value(config: DictConfig, key: str, resolve: bool = True) -> Any:
    """What stands under a key on top, as plain data; taken from where it is, for a copy costs ten times as much."""
    if OmegaConf.is_missing(config, key):
        return "???"
    node: Any = config[key] if resolve else config._get_node(key)
    if OmegaConf.is_config(node):
        return OmegaConf.to_container(node, resolve=resolve)
    return node if resolve else node._value()


def with_choices(config: DictConfig) -> tuple[CellConfig, DictConfig]:
    """The plain config, and the option that each group was chosen from."""
    return plain_config(config), config.hydra.runtime.choices


def without_hydra(config: DictConfig) -> DictConfig:
    """The config of the cell itself, out of one that Hydra has put its own beside."""
    keys: list[Any] = [key for key in config if key != "hydra"]
    return OmegaConf.masked_copy(config, keys)
