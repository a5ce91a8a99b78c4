"""Devices: which GPUs a sweep may use, told without importing torch, and how many workers that makes."""

import os
from collections.abc import Sequence

from intpv.errors import BadInput
from intpv.gpu_nodes import gpu_nodes

from ..run.threads import cores

MOST_WITHOUT_GPU = 8  # each worker holds the model once more


def visible(nodes: Sequence[str] | None = None) -> list[str | None]:
    """Visible GPUs as CUDA_VISIBLE_DEVICES names them; [None] without any. Told without importing torch.

    Without that variable CUDA numbers the GPUs that there are from 0, whatever their `nodes` are called: in a container
    that was given one of eight it may be /dev/nvidia3.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        visible = ",".join(map(str, range(len(gpu_nodes() if nodes is None else nodes))))
    return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")] or [None]


def grouped(devices: Sequence[str | None], gpus: int) -> list[str | None]:
    """What each worker sees, `gpus` of the devices as CUDA_VISIBLE_DEVICES lists them; those left over stay idle."""
    if type(gpus) is not int or gpus < 1:
        raise BadInput(f"hydra.launcher.gpus_per_worker must be at least 1, got {gpus}")
    names = [name for name in devices if name is not None]
    if gpus == 1 or not names:
        return list(devices)
    if gpus > len(names):
        raise BadInput(f"hydra.launcher.gpus_per_worker={gpus}, but {len(names)} GPUs are visible")
    return [",".join(names[start : start + gpus]) for start in range(0, len(names) - gpus + 1, gpus)]


def count(workers: int | str, devices: Sequence[str | None]) -> int:
    if workers == "auto":
        # two busy threads bring a small model little, a second process nearly doubles what is done
        return len(devices) if devices != [None] else min(cores(), MOST_WITHOUT_GPU)
    if type(workers) is not int or workers < 1:
        raise BadInput(f"hydra.launcher.workers must be auto or at least 1, got {workers}")
    return workers
