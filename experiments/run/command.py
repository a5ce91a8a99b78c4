"""The command line that verbs share: overrides, --config-dir, --cfg job and --help, as evaluate has them from Hydra."""

import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from intpv.bounds import check_flag, check_text, check_whole, shown
from intpv.errors import BadInput
from intpv.options import CONF, search_path, use_folder

from .cell_config import CellConfig, with_choices, without_hydra
from .names import register_resolvers
from .options import groups_and_keys, instead, nearest, options_of
from .validation import check


def command_line(verb: str, about: str | None) -> ArgumentParser:
    """What verbs share; each adds arguments of its own."""
    parser = ArgumentParser(prog=verb, description=about)
    _folder_argument(parser)
    parser.add_argument("--cfg", "-c", choices=["job"], help="print the configuration instead of using it")
    return parser


def _folder_argument(parser: ArgumentParser) -> None:
    own = "a folder of options of your own, laid out like conf/; INTPV_CONFIG_DIR does the same"
    parser.add_argument("--config-dir", "-cd", metavar="FOLDER", help=own)


def read_command_line(parser: ArgumentParser, changes: str | None) -> Namespace:
    """What was given, overrides last: `changes` is their example. --config-dir is obeyed from here on."""
    if changes is not None:
        parser.add_argument("override", nargs="*", metavar="KEY=VALUE", help=changes)
    found = parser.parse_intermixed_args()
    use_folder(found.config_dir)
    return found


def for_hydra(arguments: list[str]) -> list[str]:
    """The arguments as Hydra's own parser takes them, with the user's config folder if there is one."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    _folder_argument(parser)
    found, rest = parser.parse_known_args(arguments)
    own = use_folder(found.config_dir)
    # argparse takes overrides before and after an option for two lists, and refuses the second
    rest = sorted(in_hydras_words(rest), key=lambda one: one not in ("-m", "--multirun"))
    return [*rest, "--config-dir", str(own)] if own else rest


def run_config(
    overrides: Sequence[str], show: str | None, tables: bool = True
) -> tuple[CellConfig, Mapping[str, str | None]]:
    """The checked config of conf/config.yaml as a plain dict and the choices of its options; `show` is --cfg, `tables`
    as validation has it.
    """
    composed = _composed(overrides)
    show_config(show, without_hydra(composed))
    config, choices = with_choices(composed)
    check(config, choices, tables=tables)
    if (devices := config["trainer"]["devices"]) > 1:
        raise BadInput(f"trainer.devices must be 1, got {devices}: evaluate alone shares videos among devices")
    return config, choices


def own_config(
    verb: str, about: str | None, defaults: Mapping[str, Any], least: Mapping[str, int] | None = None
) -> DictConfig:
    """The config of a verb that is not made of conf/: its defaults, as the command line changes them."""
    keys = ", ".join(f"{key}={value}" for key, value in defaults.items())
    arguments = read_command_line(command_line(verb, about), keys.replace("%", "%%"))
    config = changed(defaults, arguments.override, least)
    show_config(arguments.cfg, config)
    return config


def unchecked(overrides: Sequence[str]) -> tuple[CellConfig, Mapping[str, str | None]]:
    """`run_config` of settings that are the program's own, so without what this machine adds to every run."""
    return with_choices(_composed(["local=null", *overrides]))


def _composed(overrides: Sequence[str]) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", [*search_path(), *in_hydras_words(list(overrides))], return_hydra_config=True)


def show_config(show: str | None, config: DictConfig) -> None:
    """With --cfg job the config is printed, and that is all."""
    if show:
        print(OmegaConf.to_yaml(config), end="")
        sys.exit(0)


HOME = re.compile(r"(?<=[=,])~(?=[/,]|$)")


def in_hydras_words(arguments: list[str]) -> list[str]:
    """`logger=null` becomes `logger=none`: Hydra takes no null for a group, yet it is what its users try first.

    `local=null` becomes `~local`: nothing of this machine's own. `data.root=~/videos` gets the home folder: bash writes
    it only into variables of its own, and Hydra's grammar has no ~ in a value.
    """
    arguments = [HOME.sub(lambda _: os.path.expanduser("~"), one) for one in arguments]
    groups = [group for group in groups_and_keys()[0] if f"{group}=null" in arguments]
    for group in groups:
        if "none" not in options_of(group):
            raise BadInput(f"there must be a {group}, got null: {instead(group)}")
    arguments = ["~local" if one == "local=null" else one for one in arguments]
    return [f"{one[:-5]}=none" if one.removesuffix("=null") in groups else one for one in arguments]


def changed(defaults: Mapping[str, Any], arguments: list[str], least: Mapping[str, int] | None = None) -> DictConfig:
    """The defaults with KEY=VALUE of a command line that is not Hydra's own, each of its default's type.

    A default of None takes anything, a list also `a,b`. Whole numbers are at least 1, or what `least` says. BadInput
    names the key.
    """
    config, there = OmegaConf.create(dict(defaults)), f" (there are {', '.join(defaults)})"
    for key, value in _given(arguments, defaults).items():
        if key not in defaults:
            raise BadInput(f"there is no key {key}{nearest(key, defaults) or there}")
        default = defaults[key]
        if type(default) is int:
            check_whole(key, value, (least or {}).get(key, 1))
        elif type(default) is float and not (type(value) in (int, float) and 0 <= value < inf):
            raise BadInput(f"{key} must be a number of at least 0, got {shown(value)}")
        elif type(default) is bool:
            check_flag(key, value)
        elif type(default) is str:
            check_text(key, value)
        elif isinstance(default, list) and not (isinstance(value, list) and value):
            raise BadInput(f"{key} must be a list with something in it, as {key}=[...], got {shown(value)}")
        config[key] = value
    return config


def _given(arguments: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Key -> value; `frames=8,16` is a list where the default is one."""
    texts = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals or not text:
            raise BadInput(f"{argument} cannot be read: write key=value")
        whole = isinstance(defaults.get(key), list | tuple) and not text.startswith("[")
        texts[key] = f"{key}=[{text}]" if whole else argument
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.from_cli(list(texts.values()))))


def file_to_write(overrides: Sequence[str]) -> str:
    """What out= names; BadInput unless it names one file, once."""
    places = [one.removeprefix("out=") for one in overrides if one.startswith("out=")]
    if len(places) != 1 or not places[0]:
        raise BadInput(f"out must name the file to write, once: out=FILE, got {', '.join(places) or 'none'}")
    return places[0]
