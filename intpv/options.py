"""Options by name for code that does not start from Hydra: `option("rope_strategy", "yarn", factor=4)`."""

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.initialize import get_gh_backup, restore_gh_from_backup
from hydra.utils import instantiate

from intpv.errors import BadInput

HERE = Path(__file__).parent
CONF = HERE / "conf" if (HERE / "conf").is_dir() else HERE.parent / "conf"  # in a wheel, or beside intpv in the clone


def option(group: str, name: str, **fields: Any) -> Any:
    """What `group=name` is on the command line, `fields` as `group.field=value`. BadInput lists the names there are."""
    known = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    if name not in known:
        raise BadInput(f"{group} must be one of {', '.join(known)}, got {name}")
    outer = get_gh_backup()  # of a program that is itself one of Hydra's
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return instantiate(compose(f"{group}/{name}")[group], **fields)
    finally:
        restore_gh_from_backup(outer)
