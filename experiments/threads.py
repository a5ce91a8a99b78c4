"""Threads: as many as this process may use, set once; two busy threads on one core cost far more than they bring."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from intpv.errors import BadInput

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: "<microseconds> <period>" or "max <period>"


def cores() -> int:
    """Cores this process may run on: its affinity (Slurm sets it), cut to the container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = QUOTA.read_text().split()
        count = min(count, max(1, int(quota) // int(period)))
    return count


@cache  # once per process: changing the number later costs torch its warm threads
def set_threads(threads: int | str, share: int = 1) -> int:
    """`trainer.threads`: a number, or auto for all cores divided by `share`, the processes that work side by side."""
    import torch

    most = max(1, cores() // share)
    if threads != "auto" and not (type(threads) is int and 1 <= threads <= most):
        shared = f" ({cores()} cores, shared by {share})" if share > 1 else ""
        raise BadInput(f"trainer.threads must be auto or 1 to {most}{shared}, got {threads}")
    torch.set_num_threads(most if threads == "auto" else threads)
    return torch.get_num_threads()
