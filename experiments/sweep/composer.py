"""Composer: the configs of a sweep's cells, equal to what Hydra composes, without composing each cell from its files.

Hydra takes a quarter of a second a cell, and a sweep has thousands. Here it composes one cell and, of each group, every
other option once. The rest are put together: a group's node takes the place of another option's, plain values are set
by Hydra's own code. Only what cannot differ is put together:
* an option whose choice changes nothing but its group's own key; any other (one that overrides groups, an experiment)
  is composed with each combination of such options anew;
* values without dict or list of a key that is a leaf there; a cell with anything else on its line (+, ~, ++, a package,
  hydra.*) is composed by Hydra.
Whenever more groups differ than ever before, what was put together is held against what Hydra composes.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, ValueNode, open_dict

from ..run.cell_config import CellConfig, plain_value
from .plan import Planned, planned

REFERENCE = re.compile(r"\$\{(\w+)\}")  # to a key on top
KEPT = 64  # composed configs at most, about a megabyte each


@dataclass(frozen=True)
class _Option:
    """What the choice of one option changes."""

    node: Any  # of its group
    choices: dict[str, Any]  # of the group and of those inside it


class _Base:
    """A config as Hydra composed it, and what of it other cells have since changed."""

    def __init__(self, config: DictConfig, groups: dict[str, str], values: Mapping[str, Override]) -> None:
        self.config, self.composed, self.plain = config, dict(groups), _unresolved(config)
        self.lines = dict(groups)  # group -> override in force
        self.choices = self.plain["hydra"]["runtime"]["choices"]  # group -> option in force; made anew when one changes
        self.values: dict[str, str] = {}  # key -> override in force
        config.hydra.overrides.task = [""] * (len(groups) + len(values))
        self.task, self.job = config.hydra.overrides.task, config.hydra.job
        self.told: list[str] = list(self.task)  # the overrides that Hydra notes
        self.named = self.plain["hydra"]["job"]["config"]["override_dirname"]
        self.options: dict[str, _Option | None] = {}  # override -> None where it changes more than its group
        self.leaves: set[tuple[str, str | None]] = set()  # (key, its group's override)
        self.references: dict[tuple, list[str] | None] = {}  # overrides of a key on top -> other keys that it refers to
        self.parts: dict[tuple, Any] = {}  # those overrides and what they refer to -> what stands under the key
        self.checked = 1  # groups that may differ at once from `composed`
        for group, line in groups.items():
            self.options[line] = self.option(config, group)

    def option(self, config: DictConfig, group: str) -> _Option | None:
        """None where the config differs from this one in more than the group's key, and choices inside the group."""
        plain = _unresolved(config)
        if group not in plain or _apart(plain, group) != _apart(self.plain, group):
            return None
        choices = plain["hydra"]["runtime"]["choices"]
        node = copy.deepcopy(config._get_node(group))
        return _Option(node, {name: option for name, option in choices.items() if _is_of(name, group)})

    def choose(self, group: str, line: str, option: _Option) -> None:
        self.config[group] = option.node
        kept = {name: choice for name, choice in self.choices.items() if not _is_of(name, group)}
        self.choices = {**kept, **option.choices}
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


class Composer:
    """Composes as `load_sweep_config` of the loader that it is made for."""

    def __init__(self, loader: Any) -> None:
        self._loader, self._full = loader, loader.load_sweep_config
        self._parser = OverridesParser.create(config_loader=loader)
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._bases: dict[tuple, _Base] = {}
        self._whole: dict[tuple, DictConfig] = {}  # composed by Hydra alone
        self._planned: dict[tuple, Planned] = {}
        self._shared: dict[tuple[str, str], Any] = {}  # parts of plain configs: a sweep's cells are alike
        self._wide: set[str] = set()  # groups with an option that changes more than their key
        self._last: tuple = ()  # the cell that was asked for last
        self._found: tuple[DictConfig, CellConfig, dict[str, Any]]
        self._trusted = True  # until what was put together was not what Hydra composes

    def config(self, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
        """The cell's config, which the next call may change: take out of it what is to stay."""
        return self.composed(master, overrides)[0]

    def composed(self, master: DictConfig, overrides: Sequence[str]) -> tuple[DictConfig, CellConfig, dict[str, Any]]:
        """The same and, to stay, its plain form and Hydra's choices; what is equal in two cells is one object."""
        key = (id(master), *overrides)
        if key != self._last:
            base = self._trusted and self._put_together(master, overrides)
            config = base.config if base else self._by_hydra(master, overrides)
            choices = base.choices if base else OmegaConf.to_container(config.hydra.runtime.choices)
            self._last, self._found = key, (config, self._plain(config, base or None), cast(dict[str, Any], choices))
        OmegaConf.copy_cache(master, self._found[0])
        return self._found

    def planned(self, master: DictConfig, overrides: Sequence[str]) -> Planned:
        """The cell as a plan has it, worked out once."""
        key = (id(master), *overrides)
        if key not in self._planned:
            self._planned[key] = planned(*self.composed(master, overrides))
        return self._planned[key]

    def _by_hydra(self, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
        key = (id(master), *overrides)
        if key not in self._whole:
            self._whole[key] = self._full(master, list(overrides))
            if len(self._whole) > KEPT:
                del self._whole[next(iter(self._whole))]
        return self._whole[key]

    def _put_together(self, master: DictConfig, overrides: Sequence[str]) -> _Base | None:
        try:
            return self._by_parts(master, overrides)
        except Exception:  # Hydra is left to say it, or to find that nothing is wrong
            self._bases.clear()
            return None

    def _by_parts(self, master: DictConfig, overrides: Sequence[str]) -> _Base | None:
        given = [self._override(line) for line in overrides]
        if not all(map(self._is_plain, given)) or len({one.key_or_group for one in given}) < len(given):
            return None
        groups = {one.key_or_group: str(one.input_line) for one in given if self._is_group(one)}
        values = {one.key_or_group: one for one in given if not self._is_group(one)}
        base = self._with_options(master, groups, values)
        if not base.set(values):
            return None
        base.tell(overrides, given)
        differing = sum(base.composed[group] != line for group, line in groups.items())
        if differing > base.checked:
            if _unresolved(base.config) != _unresolved(self._full(master, list(overrides))):
                self._trusted = False
                return None
            base.checked = differing
        return base

    def _with_options(self, master: DictConfig, groups: dict[str, str], values: Mapping[str, Override]) -> _Base:
        """A base with these options in force."""
        while True:
            wide = tuple(line for group, line in groups.items() if group in self._wide)
            key = (id(master), tuple(groups), wide, tuple(values))
            if key not in self._bases:
                self._bases[key] = _Base(self._full(master, list(groups.values())), groups, values)
                if len(self._bases) > KEPT:
                    del self._bases[next(iter(self._bases))]
            base = self._bases[key]
            for group, line in groups.items():
                if base.lines[group] == line:
                    continue
                if line not in base.options:
                    other = self._full(master, list({**base.composed, group: line}.values()))
                    base.options[line] = base.option(other, group)
                if (option := base.options[line]) is None:
                    self._wide.add(group)
                    break
                base.choose(group, line, option)
            else:
                return base

    def _plain(self, config: DictConfig, base: _Base | None) -> CellConfig:
        plain: dict[str, Any] = {}
        for key in (str(key) for key in config if key != "hydra"):
            part = base.part(key) if base else plain_value(config, key)
            plain[key] = self._shared.setdefault((key, repr(part)), part)
        return cast(CellConfig, plain)

    def _override(self, line: str) -> Override:
        if line not in self._parsed:
            self._parsed[line] = self._parser.parse_override(line)
        return self._parsed[line]

    def _is_group(self, override: Override) -> bool:
        name = override.key_or_group
        if name not in self._groups:
            self._groups[name] = self._loader.repository.group_exists(name)
        return self._groups[name]

    def _is_plain(self, override: Override) -> bool:
        """Whether it chooses an option of a group on top, or gives a value that is no dict and no list."""
        plain = not (override.is_delete() or override.is_add() or override.is_force_add() or override.package)
        plain = plain and not override.is_hydra_override() and not override.is_sweep_override()
        value = override.value()
        if self._is_group(override):
            return plain and isinstance(value, str) and "/" not in override.key_or_group
        return plain and not isinstance(value, dict | list)


def composer_of(loader: Any) -> Composer:
    """The loader's own: what one caller has composed the next one finds."""
    if not hasattr(loader, "composer"):
        loader.composer = Composer(loader)
    return loader.composer


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


def _unresolved(config: DictConfig) -> dict[str, Any]:
    return OmegaConf.to_container(config, resolve=False)  # type: ignore[return-value]  # of a DictConfig it is a dict


def _references(part: Any) -> Iterator[str]:
    """Texts with a reference in them."""
    if isinstance(part, dict | list):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _references(item)
    elif isinstance(part, str) and "${" in part:
        yield part
