"""Speed: a decode step of every method, timed in turn, and the most memory that it takes meanwhile."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch

from intpv.errors import BadInput

from ..attention_kl import peak_bytes
from ..timing import spread
from .transformers_methods import ROOM

COPIED = {"cpu": 2**28, "cuda": 2**30}  # bytes; far more than any cache of the processor


def interleaved(
    steps: Mapping[str, Callable[[], object]],
    rounds: int,
    device: torch.device,
    guard: Callable[[str], AbstractContextManager] = lambda _: nullcontext(),
) -> dict[str, dict]:
    """Milliseconds of each step, `wall` and `cpu` (of this process, all threads): median and extremes over the rounds.

    Every round runs all steps once, from another one on, so that what else the machine does falls on all of them and
    none finds its own cache warm. One round more, the first, is not counted. A step that `guard` stops is left out.
    """
    names = list(steps)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            if len(times[name]) == number:  # it has stood every round so far
                with guard(name):
                    times[name].append(timed(steps[name], device))
    return {name: milliseconds(pairs[1:]) for name, pairs in times.items() if len(pairs) == rounds + 1}


def timed(run: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds on the wall and of this process' CPU."""
    wait(device)
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    wait(device)
    return time.perf_counter() - wall, time.process_time() - cpu


def milliseconds(pairs: Sequence[tuple[float, float]]) -> dict:
    wall, cpu = ([1e3 * seconds for seconds in side] for side in zip(*pairs, strict=True))
    return {"wall_ms": spread(wall), "cpu_ms": spread(cpu), "rounds": {"wall_ms": wall, "cpu_ms": cpu}}


def bandwidth(device: torch.device) -> float:
    """Bytes per second that a copy moves, read and written; the best of five."""
    source = torch.ones(COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(timed(lambda: target.copy_(source), device)[0] for _ in range(5))


def beyond_held(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes that are allocated at once while it runs, beyond those before; the allocator's own count."""
    if device.type != "cuda":
        return peak_bytes(run)
    wait(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    wait(device)
    return torch.cuda.max_memory_allocated(device) - before


def check_rounds(rounds: int, steps_beside: int) -> None:
    """BadInput where a cache would decode more tokens than the bench has room for."""
    most = ROOM - 1 - steps_beside
    if not 1 <= rounds <= most:
        raise BadInput(f"rounds must be 1 to {most}, got {rounds}")


def wait(device: torch.device) -> None:
    """A GPU answers before it is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
