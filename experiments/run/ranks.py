"""Ranks: one cell on several devices, a process each; Lightning repeats the command for all but the first.

Every rank answers its share of the videos and appends them to the same run folder, which the first one opens and ends.
"""

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from intpv.errors import BadInput
from intpv.record import samples

if TYPE_CHECKING:
    from lightning import LightningModule, Trainer

SINGLE = "is for a single run: hydra.launcher.workers spreads the cells of a sweep over devices"
Item = TypeVar("Item")


def rank_of(devices: int) -> int:
    """0 in the process that a person started, above it in those that Lightning did."""
    return int(os.environ.get("LOCAL_RANK", "0")) if devices > 1 else 0


def end_with_the_first() -> None:
    """In a rank that Lightning started: when the first process is gone, however it went, so is this one."""
    started_by = os.getppid()

    def watch() -> None:
        while os.getppid() == started_by:
            time.sleep(0.5)
        os._exit(1)  # the folder is nobody's now: nothing more is written to it

    threading.Thread(target=watch, daemon=True).start()


class RankFailed(Exception):
    """Another rank ended with an error; where it could, it has told of it in the run folder."""


def predict(trainer: "Trainer", module: "LightningModule", loader: Iterable) -> None:
    """Every rank its share. The first one returns when all are done; an error in any of them ends the rest."""
    try:
        trainer.predict(module, loader, return_predictions=False)
        for rank, process in enumerate(_started(trainer), 1):
            if code := process.wait():
                raise RankFailed(f"rank {rank} ended with exit code {code}")
    except BaseException:
        for process in _started(trainer):
            process.kill()  # before it makes an error of its own of the connection that is lost
        raise


def _started(trainer: "Trainer") -> list[subprocess.Popen]:
    """By this process: none on one device, or in a rank above 0."""
    return getattr(trainer.strategy.launcher, "procs", [])


def settle(config: Mapping[str, Any]) -> None:
    """Before the model is loaded: the rank's own GPU, where there are any, is what `cuda` means to it."""
    import torch

    devices, accelerator = config["trainer"]["devices"], config["trainer"]["accelerator"]
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise BadInput(f"trainer.devices={devices} starts its processes itself: without torchrun")
    given = config["model"].get("device", "auto")
    if given not in ("auto", "cpu", "cuda"):
        raise BadInput(f"trainer.devices={devices} loads the model once a device, model.device={given} says which")
    if accelerator != "cpu" and given != "cpu" and torch.cuda.is_available():
        if (found := torch.cuda.device_count()) < devices:
            raise BadInput(f"trainer.devices={devices}, but torch {torch.__version__} finds {found} GPU here")
        torch.cuda.set_device(rank_of(devices))


def share_of(items: Sequence[Item], devices: int) -> Sequence[Item]:
    """Every n-th, so that what is dear at the end of a list is not one rank's alone."""
    return items[rank_of(devices) :: devices]


class Appended:
    """What all ranks have added to samples.jsonl since it was last looked at."""

    def __init__(self, file: Path) -> None:
        self._file, self._at = file, file.stat().st_size

    def videos(self) -> list[int]:
        """How many questions each new one has."""
        with self._file.open("rb") as file:
            file.seek(self._at)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._at += len(whole)
        return list(Counter(record["video"] for record in samples.parse(whole)).values())
