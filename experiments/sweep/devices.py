"""Devices: which GPUs a sweep may use, told without importing torch, and how many workers that makes."""

import glob
import os
from collections.abc import Sequence

from intpv.errors import BadInput

from ..threads import cores

MOST_WITHOUT_GPU = 8  # each worker holds the model once more


def visible() -> list[str | None]:
    """Visible GPUs as CUDA_VISIBLE_DEVICES names them; [None] without any. Told without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        visible = ",".join(sorted(path[len("/dev/nvidia") :] for path in glob.glob("/dev/nvidia[0-9]*")))
    return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")] or [None]


def count(workers: int | str, devices: Sequence[str | None]) -> int:
    if workers == "auto":
        # two busy threads bring a small model little, a second process nearly doubles what is done
        return len(devices) if devices != [None] else min(cores(), MOST_WITHOUT_GPU)
    if type(workers) is not int or workers < 1:
        raise BadInput(f"hydra.launcher.workers must be auto or at least 1, got {workers}")
    return workers
