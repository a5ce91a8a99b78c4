"""A run of W&B: opened in silence, under an id of its own, with all its files in a folder of its own."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from intpv.record.cell import config_hash

log = logging.getLogger(__name__)


def run_id(sweep: str, name: str) -> str:
    """The same for every attempt at a cell, another one in every sweep."""
    return config_hash({"group": sweep, "name": name})  # a key called `sweep` would not count


def open_run(folder: str, offline: bool, **described: Any) -> Any:
    """wandb.init with `described` (id, project, config, ...); unsent offline attempts with the same id are removed.

    Not logged in or no network: one warning, and the run is written offline, so that it can still be sent later.
    """
    import wandb  # a third of a second that other mirrors need not spend

    settings = _silent(wandb.Settings)
    Path(folder).mkdir(parents=True, exist_ok=True)  # W&B would go to the system's temporary folder without a word
    remove_unsent(Path(wandb.Settings(root_dir=folder).wandb_dir), described["id"])
    common = {"dir": folder, "settings": settings, "reinit": "finish_previous", **described}
    if not offline:
        try:
            with redirect_stderr(StringIO()):  # login knows no silence
                known = wandb.login(prompt=False, verify=False)
            if not known:  # init would ask at the terminal, before every cell
                raise ConnectionError("not logged in (`wandb login` or WANDB_API_KEY), or WANDB_MODE=offline is set")
            return wandb.init(mode="online", resume="allow", **common)
        except Exception as error:
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


def _silent(settings: Any) -> Any:
    """Nothing on the terminal; nothing of the machine, the code or the repository: environment.json says all that."""
    return settings(
        silent=True,
        console="off",
        init_timeout=30,  # seconds
        save_code=False,
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
