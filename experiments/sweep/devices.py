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


def grouped(devices: Sequence[str | None], gpus: int) -> list[str | None]:
    """What each worker sees, `gpus` of the devices as CUDA_VISIBLE_DEVICES lists them; those left over stay idle."""
    if type(gpus) is not int or gpus < 1:
        raise BadInput(f"hydra.launcher.gpus_per_worker must be at least 1, got {gpus}")
    if gpus == 1 or devices == [None]:
        return list(devices)
    if gpus > len(devices):
        raise BadInput(f"hydra.launcher.gpus_per_worker={gpus}, but {len(devices)} GPUs are visible")
    return [",".join(devices[start : start + gpus]) for start in range(0, len(devices) - gpus + 1, gpus)]


def count(workers: int | str, devices: Sequence[str | None]) -> int:
    if workers == "auto":
        # two busy threads bring a small model little, a second process nearly doubles what is done
        return len(devices) if devices != [None] else min(cores(), MOST_WITHOUT_GPU)
    if type(workers) is not int or workers < 1:
        raise BadInput(f"hydra.launcher.workers must be auto or at least 1, got {workers}")
    return workers
