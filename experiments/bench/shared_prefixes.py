"""Measure what cells share when prefixes do not fit: python -m experiments.bench shared_prefixes [rounds=3] [videos=6]

Four KV widths of one strategy on clips of flipbook under data=folder, many questions each, mini model, one process.
With room for one prefix it is handed on: all cells are asked before the next video is decoded. The alternative makes it
anew in every cell. Strategies share the outputs of the tower alone: reading these from disk is measured as a share
of all cells' seconds. About 1 minute on one core.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from intpv.bounds import check_whole
from intpv.record.run_folder import RunFolder

from ..run import build
from ..run.cell import run_cell
from ..run.command import own_config, unchecked
from ..run.messages import explained
from ..run.open_cell import CellToCome, Keep
from ..run.progress import Progress
from ..run.provenance import provenance, write_result
from ..sweep.plan import prefix_key
from .folder import write_questions
from .timing import alternate

SIZES = {"rounds": 3, "videos": 6, "questions": 25, "frames": 32}
WIDTHS = ("none", "int8", "int4", "int2")
STRATEGIES = ("none", "linear", "ntk", "yarn")


def main() -> None:
    with explained("bench shared_prefixes"):
        defaults = {**SIZES, "out": "analysis/results/bench_shared_prefixes.json"}
        options = own_config("bench shared_prefixes", __doc__, defaults)
        sizes = {name: options[name] for name in SIZES}
        for name, size in sizes.items():
            check_whole(name, size)
    with tempfile.TemporaryDirectory() as place:
        result: dict = {"what": "seconds of all cells; theirs / ours is how many times faster handing prefixes on is"}
        result |= {"provenance": provenance(), **sizes, **both_orders(Path(place), **sizes)}
    write_result(options.out, result)
    print(*prefix_lines(result), sep="\n")


def both_orders(place: Path, rounds: int, videos: int, questions: int, frames: int) -> dict:
    """Seconds of the widths in both orders, and of the strategies with what of it was reading."""
    file = write_questions(place, videos, questions)
    own = ["data=folder", f"data.root={place}", f"data.questions={file.name}", f"frames={frames}", "scorer=lenient"]

    own += ["trainer.threads=1", "logger=none", "measure.figures=false", "sweep.name=bench"]
    places = (place / str(number) for number in itertools.count())

    def sweep(settings: Sequence[str], *cache: str) -> list[CellToCome]:
        here = next(places)  # with an empty cache
        configs = [unchecked([*own, f"cache.dir={here / 'cache'}", *cache, *line.split()]) for line in settings]
        cells = [CellToCome(*made, here / f"cell_{number}") for number, made in enumerate(configs)]
        run_cells(cells)
        return cells

    widths = [f"rope_strategy=yarn kv_quant={width}" for width in WIDTHS]
    first = sweep(widths[:1])[0]  # warm, too
    room = 1.5e-9 * (RunFolder(first.folder).metrics()["kv/full_precision_bytes"] or 0)  # GB, for one
    handed_on, anew = (partial(sweep, widths, f"cache.prefix_gb={size}") for size in (room, 0))
    found = {"widths": {"of": WIDTHS, **alternate(handed_on, anew, rounds)}}
    start = time.perf_counter()
    cells = sweep([f"rope_strategy={name} kv_quant=int2" for name in STRATEGIES], "cache.memory_gb=0")
    seconds, counts = time.perf_counter() - start, build.cache(cells[0].config).counts()["tower"]
    share = counts["read_s"] / seconds
    return {**found, "strategies": {"of": STRATEGIES, "cells_s": seconds, "read_share": share, "tower": counts}}


def run_cells(cells: Sequence[CellToCome]) -> None:
    """One after the other in this process, as a worker of a sweep runs the batches of its plan."""
    batches: dict[str, list[CellToCome]] = {}
    for cell in cells:
        batches.setdefault(prefix_key(cell.config), []).append(cell)
    for batch in batches.values():
        for number, cell in enumerate(batch, 1):
            keep = Keep(prefixes=len(batch) > 1, answers=False, to_come=batch[number:])
            run_cell(cell.config, cell.choices, cell.folder, Progress(lambda event: None), keep=keep)


def prefix_lines(result: dict) -> Iterator[str]:
    """For reading."""
    widths, strategies = result["widths"], result["strategies"]
    ours, theirs = (widths[f"{side}_s"]["median"] for side in ("ours", "theirs"))
    ratio = widths["ratio"]
    yield (
        f"{len(WIDTHS)} widths: {ours:.1f} s with prefixes handed on, {theirs:.1f} s made anew in every cell, "
        f"{ratio['median']:.2f} times [{ratio['min']:.2f}, {ratio['max']:.2f}]"
    )
    yield (
        f"{len(STRATEGIES)} strategies: reading {strategies['tower']['disk']} outputs of the tower from disk is "
        f"{strategies['read_share']:.1%} of {strategies['cells_s']:.1f} s, {strategies['tower']['computed']} were made"
    )


if __name__ == "__main__":
    main()
