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

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from ..run.cell_config import CellConfig, plain_value
from .base_config import BaseConfig, unresolved
from .plan import Planned, planned

KEPT = 64  # composed configs at most, about a megabyte each


class Composer:
    """Composes as `load_sweep_config` of the loader that it is made for."""

    def __init__(self, loader: Any) -> None:
        self._loader, self._full = loader, loader.load_sweep_config
        self._parser = OverridesParser.create(config_loader=loader)
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._bases: dict[tuple, BaseConfig] = {}
        self._whole: dict[tuple, DictConfig] = {}  # composed by Hydra alone
        self._planned: dict[tuple, Planned] = {}
        self._folders: dict[tuple, str] = {}  # of sweeps
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
            config, plain, choices = self.composed(master, overrides)
            folder = self._sweep_folder(id(master), config, plain)
            self._planned[key] = planned(config, plain, choices, folder)
        return self._planned[key]

    def _sweep_folder(self, master: int, config: DictConfig, plain: CellConfig) -> str:
        """`hydra.sweep.dir`. What it refers to takes half a millisecond a cell to resolve: looked up where that is the
        sweep's name alone."""
        sweep = config.hydra.sweep
        text = str(sweep._get_node("dir")._value())
        if "${" in text.replace("${folder:}", ""):
            return sweep.dir
        key = (master, text, plain["sweep"]["name"])
        if key not in self._folders:
            self._folders[key] = sweep.dir
        return self._folders[key]

    def knows(self, master: DictConfig, overrides: Sequence[str]) -> bool:
        """Whether the cell is planned, so it can be composed."""
        return (id(master), *overrides) in self._planned

    def _by_hydra(self, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
        key = (id(master), *overrides)
        if key not in self._whole:
            self._whole[key] = self._full(master, list(overrides))
            if len(self._whole) > KEPT:
                del self._whole[next(iter(self._whole))]
        return self._whole[key]

    def _put_together(self, master: DictConfig, overrides: Sequence[str]) -> BaseConfig | None:
        try:
            return self._by_parts(master, overrides)
        except Exception:  # Hydra is left to say it, or to find that nothing is wrong
            self._bases.clear()
            return None

    def _by_parts(self, master: DictConfig, overrides: Sequence[str]) -> BaseConfig | None:
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
            if unresolved(base.config) != unresolved(self._full(master, list(overrides))):
                self._trusted = False
                return None
            base.checked = differing
        return base

    def _with_options(self, master: DictConfig, groups: dict[str, str], values: Mapping[str, Override]) -> BaseConfig:
        """A base with these options in force."""
        while True:
            wide = tuple(line for group, line in groups.items() if group in self._wide)
            key = (id(master), tuple(groups), wide, tuple(values))
            if key not in self._bases:
                self._bases[key] = BaseConfig(self._full(master, list(groups.values())), groups, values)
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

    def _plain(self, config: DictConfig, base: BaseConfig | None) -> CellConfig:
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


@lru_cache(maxsize=1)  # a process has one loader at a time; not kept on it, for joblib sends it to its processes
def composer_of(loader: Any) -> Composer:
    """The loader's own: what one caller has composed the next one finds."""
    return Composer(loader)
