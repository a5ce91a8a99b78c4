"""A run of W&B: opened in silence, under an id of its own, with all its files in a folder of its own."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args

from intpv.errors import BadInput

# what WANDB_MODE may say, and what it means
Mode = Literal["online", "offline", "disabled", "shared"]
MODES: dict[str, Mode] = {"": "offline", **{one: one for one in get_args(Mode)}}
MODES |= {"dryrun": "offline", "run": "online"}

log = logging.getLogger(__name__)


def variable(name: str) -> str:
    """W&B's variable of that name; "" where it is not set."""
    return os.environ.get(f"WANDB_{name}", "")


def mode() -> Mode:
    """As WANDB_MODE says; offline where it says nothing. BadInput for no mode."""
    said = variable("MODE").lower()
    if said not in MODES:
        raise BadInput(f"WANDB_MODE must be one of {', '.join(filter(None, MODES))}, got {said}")
    return MODES[said]


def open_run(folder: str, mode: Mode, system: bool, anew: bool, **described: Any) -> Any:
    """wandb.init with `described` (id, project, config, ...); unsent offline attempts with the same id are removed.

    `system`: with W&B's own statistics of CPU, memory and GPU. `anew`: what W&B has under the id is overwritten, not
    gone on with, and what cannot be sent raises.

    Not logged in or no network: one warning, and the run is written offline, so that it can still be sent later.
    """
    import wandb  # a third of a second that other mirrors need not spend

    settings = _silent(wandb.Settings, system, anew)
    Path(folder).mkdir(parents=True, exist_ok=True)  # W&B would go to the system's temporary folder without a word
    remove_unsent(Path(wandb.Settings(root_dir=folder).wandb_dir), described["id"])
    common = {"dir": folder, "settings": settings, "reinit": "finish_previous", **described}
    if mode != "offline":
        try:
            with redirect_stderr(StringIO()):  # login knows no silence
                known = wandb.login(prompt=False, verify=False)
            if not known:  # init would ask at the terminal, before every cell
                raise ConnectionError("not logged in (`wandb login` or WANDB_API_KEY), or WANDB_MODE=offline is set")
            return wandb.init(mode=mode, resume=None if anew else "allow", **common)
        except Exception as error:
            if anew:
                raise
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            wandb.teardown()  # the failed attempt would hold the id
            log.warning("W&B is not online: %s. Written offline, send it later with `wandb sync`", reason)
    return wandb.init(mode="offline", **common)


def remove_unsent(folder: Path, identity: str) -> None:
    """Two offline folders of one id are two histories; the new attempt carries everything, so the old ones can go.

    A folder that was sent stays: sending the new one updates the same run.
    """
    for old in folder.glob(f"offline-run-*-{identity}"):
        if not any(old.glob("*.synced")):
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def staged_with(run: Any) -> Iterator[None]:
    """A table's files wait for their upload in the run's folder, not in the home folder: they go when the run goes."""
    if "WANDB_DATA_DIR" in os.environ:  # somebody has chosen a place
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(Path(run.dir).parent)
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]


def _silent(settings: Any, system: bool, anew: bool) -> Any:
    """Nothing on the terminal; nothing of the machine, the code or the repository: the config says all that.

    A variable of W&B's that somebody has set is left to say otherwise.
    """
    ours = {
        "silent": True,
        "console": "off",
        "init_timeout": 120 if anew else 30,  # seconds
        "finish_timeout": 900 if anew else 0,  # seconds; 0: W&B tries for as long as it likes
        "finish_timeout_raises": anew,
        "save_code": False,
        "disable_code": True,
        "disable_git": True,
        "disable_job_creation": True,
        "x_disable_stats": not system,
        "x_disable_meta": True,
        "x_disable_machine_info": not system,
        "x_save_requirements": False,
    }
    return settings(**{key: value for key, value in ours.items() if not variable(key.upper())})
