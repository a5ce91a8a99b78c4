"""Base config: one as Hydra composed it, in which options and values of other cells then take their places."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, ValueNode, open_dict

from ..run.cell_config import plain_value

REFERENCE = re.compile(r"\$\{(\w+)\}")  # to a key on top


@dataclass(frozen=True)
class Option:
    """What the choice of one option changes."""

    node: Any  # of its group
    choices: dict[str, Any]  # of the group and of those inside it


class BaseConfig:
    """A config as Hydra composed it, and what of it other cells have since changed; see composer.py."""

    def __init__(self, config: DictConfig, groups: dict[str, str], values: Mapping[str, Override]) -> None:
        self.config, self.composed, self.plain = config, dict(groups), unresolved(config)
        self.lines = dict(groups)  # group -> override in force
        self.choices = self.plain["hydra"]["runtime"]["choices"]  # group -> option in force; made anew when one changes
        self.values: dict[str, str] = {}  # key -> override in force
        config.hydra.overrides.task = [""] * (len(groups) + len(values))
        self.task, self.job = config.hydra.overrides.task, config.hydra.job
        self.told: list[str] = list(self.task)  # the overrides that Hydra notes
        self.named = self.plain["hydra"]["job"]["config"]["override_dirname"]
        config._set_flag("no_deepcopy_set_nodes", True)  # an option's node is put in as it is: `set` is told all values
        self.options: dict[str, Option | None] = {}  # override -> None where it changes more than its group
        self.leaves: set[tuple[str, str | None]] = set()  # (key, its group's override)
        self.references: dict[tuple, list[str] | None] = {}  # overrides of a key on top -> other keys that it refers to
        self.parts: dict[tuple, Any] = {}  # those overrides and what they refer to -> what stands under the key
        self.checked = 1  # groups that may differ at once from `composed`
        for group, line in groups.items():
            self.options[line] = self.option(config, group)

    def option(self, config: DictConfig, group: str) -> Option | None:
        """None where the config differs from this one in more than the group's key, and choices inside the group."""
        plain = unresolved(config)
        if group not in plain or _apart(plain, group) != _apart(self.plain, group):
            return None
        choices = plain["hydra"]["runtime"]["choices"]
        node = copy.deepcopy(config._get_node(group))
        return Option(node, {name: option for name, option in choices.items() if _is_of(name, group)})

    def choose(self, group: str, line: str, option: Option) -> None:
        self.config[group] = option.node
        kept = {name: choice for name, choice in self.choices.items() if not _is_of(name, group)}
        same_keys, self.choices = {*kept, *option.choices} == self.choices.keys(), {**kept, **option.choices}
        if same_keys:
            for name, choice in option.choices.items():
                self.config.hydra.runtime.choices[name] = choice
        else:
            with open_dict(self.config.hydra):
                self.config.hydra.runtime.choices = self.choices
        self.lines[group] = line
        self.values = {key: value for key, value in self.values.items() if key.split(".")[0] != group}

    def set(self, values: Mapping[str, Override]) -> bool:
        """False where one is not the value of a leaf."""
        for key, override in values.items():
            line = str(override.input_line)
            if self.values.get(key) == line:
                continue
            leaf = (key, self.lines.get(key.split(".")[0]))
            if leaf not in self.leaves:
                if not _is_leaf(self.config, key):
                    return False
                self.leaves.add(leaf)
            ConfigLoaderImpl._apply_overrides_to_config([override], self.config)
            self.values[key] = line
        return True

    def tell(self, overrides: Sequence[str], given: Sequence[Override]) -> None:
        """What Hydra notes of the overrides themselves."""
        for place, line in enumerate(overrides):
            if self.told[place] != line:
                self.task[place] = self.told[place] = line
        named = self.named
        self.job.override_dirname = get_overrides_dirname(
            list(given), named["exclude_keys"], named["item_sep"], named["kv_sep"]
        )

    def part(self, key: str) -> Any:
        """What stands under a key on top, as plain data; looked up where what it depends on was there before."""
        said = [line for name, line in self.values.items() if name.split(".")[0] == key]
        mark: tuple = (key, self.lines.get(key), *said)
        if mark not in self.references:
            self.references[mark] = self._referred(plain_value(self.config, key, resolve=False))
        names = self.references[mark]
        if names is None:
            return plain_value(self.config, key)
        mark += tuple((name, repr(self.config[name])) for name in names)
        if mark not in self.parts:
            self.parts[mark] = plain_value(self.config, key)
        return self.parts[mark]

    def _referred(self, part: Any) -> list[str] | None:
        """Keys on top that hold a number or a text; None where something else is referred to."""
        names = []
        for text in _references(part):
            found = REFERENCE.fullmatch(text)
            node = self.config._get_node(found[1]) if found else None
            if found is None or not isinstance(node, ValueNode) or node._is_interpolation() or node._is_missing():
                return None
            names.append(found[1])
        return names


def _apart(plain: dict[str, Any], group: str) -> dict[str, Any]:
    """All but what the choice of the group's option may change."""
    hydra = plain["hydra"]
    choices = {name: option for name, option in hydra["runtime"]["choices"].items() if not _is_of(name, group)}
    hydra = {
        **hydra,
        "overrides": {**hydra["overrides"], "task": None},
        "runtime": {**hydra["runtime"], "choices": choices},
        "job": {**hydra["job"], "override_dirname": None},
    }
    return {**{key: value for key, value in plain.items() if key != group}, "hydra": hydra}


def _is_of(name: str, group: str) -> bool:
    """Whether a key of Hydra's choices is the group's, or that of one inside it."""
    return name == group or name.startswith((f"{group}/", f"{group}@"))


def _is_leaf(config: DictConfig, key: str) -> bool:
    """Whether there is such a key, no container, and no reference leads to it: it may be set again and again."""
    *parents, last = key.split(".")
    node: Any = config
    for name in parents:
        if not isinstance(node, DictConfig) or name not in node or OmegaConf.is_interpolation(node, name):
            return False
        node = node[name]
    if not isinstance(node, DictConfig) or node._get_node(last) is None:
        return False
    return not OmegaConf.is_config(node._get_node(last))


def unresolved(config: DictConfig) -> dict[str, Any]:
    return OmegaConf.to_container(config, resolve=False)  # type: ignore[return-value]  # of a DictConfig it is a dict


def _references(part: Any) -> Iterator[str]:
    """Texts with a reference in them."""
    if isinstance(part, dict | list):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _references(item)
    elif isinstance(part, str) and "${" in part:
        yield part
