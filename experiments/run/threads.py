"""Threads: as many as this process may use, set once; two busy threads on one core cost far more than they bring."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from intpv.bounds import shown
from intpv.errors import BadInput

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: "<microseconds> <period>" or "max <period>"


def cores() -> int:
    """Cores this process may run on: its affinity (Slurm sets it), cut to the container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = QUOTA.read_text().split()
        count = min(count, max(1, int(quota) // int(period)))
    return count


def automatic(share: int = 1) -> int:
    """What auto comes to. OMP_NUM_THREADS may be a list, for nested regions: its first number counts."""
    most, first = max(1, cores() // share), os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(most, int(first)) if first.isdecimal() and int(first) >= 1 else most


def check_threads(threads: int | str, share: int | None = 1) -> None:
    """BadInput for more than a process has that shares this machine with `share`; None if it is another machine."""
    most = None if share is None else max(1, cores() // share)
    if threads == "auto" or (type(threads) is int and threads >= 1 and (most is None or threads <= most)):
        return
    shared = f" ({cores()} cores, shared by {share})" if share and share > 1 else ""
    limit = "at least 1" if most is None else f"1 to {most}"
    raise BadInput(f"trainer.threads must be auto or {limit}{shared}, got {shown(threads)}")


@cache  # once per process: changing the number later costs torch its warm threads
def set_threads(threads: int | str, share: int = 1) -> int:
    """`trainer.threads`: a number, or auto for all cores divided by `share`, the processes that work side by side.

    An exported OMP_NUM_THREADS is somebody's decision: auto takes no more than it says.
    """
    import torch

    check_threads(threads, share)
    torch.set_num_threads(threads if isinstance(threads, int) else automatic(share))
    return torch.get_num_threads()
