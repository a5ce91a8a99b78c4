"""Options by name for code that does not start from Hydra: `option("rope_strategy", "yarn", factor=4)`."""

import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import InstantiationException
from hydra.initialize import get_gh_backup, restore_gh_from_backup
from hydra.utils import instantiate

from intpv.errors import BadInput

HERE = Path(__file__).parent
CONF = HERE / "conf" if (HERE / "conf").is_dir() else HERE.parent / "conf"  # in a wheel, or beside intpv in the clone
VARIABLE = "INTPV_CONFIG_DIR"  # also what --config-dir sets, so that a sweep's workers know it


def option(group: str, name: str, **fields: Any) -> Any:
    """What `group=name` is on the command line, `fields` as `group.field=value`. BadInput lists the names there are.

    Options of one's own are those in the folder that INTPV_CONFIG_DIR names, their classes in a module beside it or in
    an installed package; BadInput says where one that is missing was looked for.
    """
    places = homes(group)
    if name not in places:
        raise BadInput(f"{group} must be one of {', '.join(sorted(places))}, got {name}")
    # what ships stays as it is while a process lives; a user may be at work on files of their own
    kept, of = config_folders() == (CONF,), (group, name, places[name])
    try:
        return instantiate(_composed(*of) if kept else _composed.__wrapped__(*of), **fields)  # of a copy
    except InstantiationException as error:
        if lost := missing_module(error):
            raise BadInput(f"{group}={name}: {lost}") from None
        raise


@cache
def _composed(group: str, name: str, home: Path) -> Any:
    """What Hydra makes of the option, which takes it a tenth of a second; it looks nowhere but in `home` first."""
    outer = get_gh_backup()  # of a program that is itself one of Hydra's
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(home), version_base="1.3"):
            return compose(f"{group}/{name}", search_path(home))[group]
    finally:
        restore_gh_from_backup(outer)


def homes(group: str) -> dict[str, Path]:
    """Option of a group -> the config folder that it lies in. base/ in a group is none: it holds what they inherit."""
    return {file.stem: folder for folder in config_folders() for file in (folder / group).glob("*.yaml")}


def config_folders() -> tuple[Path, ...]:
    """conf/ and, where INTPV_CONFIG_DIR names one, a folder of the user's own that is laid out like it."""
    own = os.environ.get(VARIABLE)
    return (CONF, _own(Path(own).expanduser().absolute())) if own else (CONF,)


def missing_module(error: BaseException) -> str | None:
    """What to say of a class that cannot be made for want of a module, and where that was looked for."""
    cause: BaseException | None = error
    while cause and not isinstance(cause, ModuleNotFoundError):
        cause = cause.__cause__
    return not_found(cause.name or "") if isinstance(cause, ModuleNotFoundError) else None


def not_found(module: str) -> str | None:
    """The end of a message on a module that is nowhere, None for one that is somewhere."""
    package = module.partition(".")[0]
    if spec := find_spec(package):
        where = ", ".join(spec.submodule_search_locations or [str(spec.origin)])
        return f"there is no module {module} in {where}" if package != module else None
    beside = [f"{folder.parent} (beside {folder.name})" for folder in config_folders()[1:]]
    here = [f"{Path.cwd()} (here)"] if {"", str(Path.cwd())} & set(sys.path) else []
    own = "" if beside else f"; one of your own lies beside the folder of --config-dir or {VARIABLE}"
    return f"there is no module {module} in {', '.join([*beside, *here, 'installed packages'])}{own}"


def use_folder(given: str | None) -> Path | None:
    """Obey --config-dir in this process and those it starts; the user's own folder, if there is one."""
    if given is not None:
        os.environ[VARIABLE] = str(Path(given).expanduser().absolute())
    return (*config_folders(), None)[1]


def search_path(home: Path = CONF) -> list[str]:
    """The override that lets Hydra look beyond `home` into the other folder, where there is one."""
    others = [str(folder) for folder in config_folders() if folder != home]
    quoted = [folder.replace("\\", "\\\\").replace("'", "\\'") for folder in others]
    return [f"hydra.searchpath=['file://{folder}']" for folder in quoted]


@cache
def _own(folder: Path) -> Path:
    """Modules beside it can be imported from now on, here and in a sweep's workers.

    BadInput where it is none, or where an option has the name of one of ours: Hydra would take ours in silence.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}: --config-dir or {VARIABLE} must name one laid out like conf/")
    for file in sorted(folder.rglob("*.yaml")):
        place = file.relative_to(folder)
        if (CONF / place).exists():
            raise BadInput(f"{file}: intpv has a {place} too, which Hydra would take: give yours another name")
    if str(folder.parent) not in sys.path:
        sys.path.append(str(folder.parent))  # last: what is installed keeps its names
    return folder
