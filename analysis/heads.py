"""Heads: in which layers and heads a quantised or evicted cache moves attention, and what they put out.

    python -m analysis.heads runs/mine

Of every cell that measured it (measure=full), by the local pass: a layer meets its own inexact keys and values, and no
error of those before it. Writes heads.md and heads.csv into the sweep's folder.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intpv.attention_kl.key_groups import FIRST_FRAME, SINK
from intpv.errors import BadInput
from intpv.escape import markdown_table, printable

from .page_and_table import write_page_and_table
from .provenance import provenance_lines
from .runs import Cell, read_sweep, run_command
from .seeds import over_seeds, runs_by_training

ROUNDING = 1e-7  # nats: what is less over all heads is none
LEGEND = (
    "Against the same prefix in full precision, each layer alone (local pass), mean over query rows {each training}. "
    "attention KL in mnat, output error in % (norm of the change of a head's output against the norm of the output, "
    "over all rows): means over the heads of a layer. worst: the head with the largest KL. "
    "The first tokens are those of measure.sinks."
)


@dataclass(frozen=True)
class Heads:
    """What a cell measured per layer and head, the mean over its runs; (L, H) each."""

    kl: NDArray  # nats, of attention over all keys
    output_error: NDArray  # 0 to 1 and beyond
    first: float  # share of the reference's attention on the first tokens of the prefix (measure.sinks), 0 to 1
    video: float  # on the video's tokens
    watches: int  # a video counts once in each run

    @cached_property
    def falling(self) -> NDArray:
        """KL of all heads, largest first, as shares of its sum, which is above 0."""
        ordered = np.sort(self.kl, axis=None)[::-1]
        return ordered / ordered.sum()

    @property
    def half(self) -> int:
        """The fewest heads that hold half of the KL."""
        return int(np.searchsorted(self.falling.cumsum(), 0.5 - 1e-12)) + 1

    @property
    def tenth(self) -> float:
        """Share of the KL that the worst tenth of the heads holds, 0 to 1; that many, rounded up."""
        return float(self.falling[: -(-self.kl.size // 10)].sum())


def heads_of(cells: Sequence[Cell]) -> Heads:
    """Of runs that differ in seeds alone. BadInput where they have not the same heads."""
    tables = [_tables(cell) for cell in cells]
    shapes = {kl.shape for kl, *_ in tables}
    if len(shapes) > 1:
        raise BadInput(f"{cells[0].name}: runs of one cell have the same layers and heads, got {sorted(shapes)}")
    kl, error, first, video = (np.mean(found, axis=0) for found in zip(*tables, strict=True))
    return Heads(kl, error, float(first), float(video), sum(int(cell.metrics["attention_kl/videos"]) for cell in cells))


def write_heads(folder: str | Path) -> list[Path]:
    """heads.md and heads.csv in the sweep's folder. BadInput where no finished cell measured attention KL locally."""
    folder = Path(folder)
    cells = read_sweep(folder)
    measured = [cell for cell in over_seeds(cells) if cell.status == "done" and all(map(_has_tables, cell.runs))]
    if not measured:
        raise BadInput(f"no finished cell of {folder} has measured attention KL per head: measure=full does")
    text = f"# Heads: {printable(folder.name)}\n\n{provenance_lines(folder, cells)}\n{LEGEND}\n"
    rows = [row for cell in measured for row in _rows(cell)]
    return write_page_and_table(folder, "heads", text + "".join(map(_page, measured)), rows)


def _file(cell: Cell) -> Path:
    return cell.folder / "attention_kl.npz"


def _has_tables(cell: Cell) -> bool:
    """Not so of one whose cache was exact, or that was measured against the trained length alone."""
    if not _file(cell).is_file():
        return False
    with np.load(_file(cell), allow_pickle=False) as tables:
        return {"local/kl/all", "local/output_error", "local/mass/reference"} <= set(tables)


def _tables(cell: Cell) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """KL, output error; means over heads of the masses on the first tokens and on the video."""
    with np.load(_file(cell), allow_pickle=False) as tables:
        mass = tables["local/mass/reference"].mean(axis=(0, 1))
        return tables["local/kl/all"], tables["local/output_error"], mass[SINK], mass[FIRST_FRAME:].sum()


def _page(cell: Cell) -> str:
    mean, trainings = heads_of(cell.runs), [heads_of(runs) for runs in runs_by_training(cell).values()]
    title = f"{cell.strategy}, {cell.rearranger}, {cell.frames} frames, {cell.kv_quant}"
    worst = mean.kl.argmax(axis=1)
    rows = [
        [
            str(layer),
            _with_each(1000 * mean.kl[layer].mean(), [1000 * one.kl[layer].mean() for one in trainings]),
            _with_each(
                100 * mean.output_error[layer].mean(), [100 * one.output_error[layer].mean() for one in trainings]
            ),
            f"{head}: {1000 * mean.kl[layer, head]:.1f}",
        ]
        for layer, head in enumerate(worst)
    ]
    kl = _with_each(1000 * mean.kl.mean(), [1000 * one.kl.mean() for one in trainings])
    error = _with_each(100 * mean.output_error.mean(), [100 * one.output_error.mean() for one in trainings])
    first = _with_each(100 * mean.first, [100 * one.first for one in trainings])
    video = _with_each(100 * mean.video, [100 * one.video for one in trainings])
    said = (
        f"{mean.watches} watches. Over all heads {kl} mnat and {error} %. Of the attention in full precision the first "
        f"tokens have {first} % and the video {video} %."
    )
    if mean.kl.max() > ROUNDING:
        half = _with_each(mean.half, [one.half for one in trainings], 0)
        tenth = _with_each(100 * mean.tenth, [100 * one.tenth for one in trainings], 0)
        said += f" Half of the KL is in {half} of {mean.kl.size} heads; the worst tenth of them has {tenth} % of it."
    if max(mean.kl.max(), mean.output_error.max()) <= ROUNDING:
        return f"\n## {printable(title)}\n\n{said}\n"
    return f"\n## {printable(title)}\n\n{said}\n\n" + markdown_table(
        ["layer", "attention KL", "output error", "worst"], rows
    )


def _with_each(value: float, each: Sequence[float], digits: int = 1) -> str:
    braces = f" {{{', '.join(f'{one:.{digits}f}' for one in each)}}}" if each else ""
    return f"{value:.{digits}f}{braces}"


def _rows(cell: Cell) -> Iterator[dict[str, object]]:
    mean = heads_of(cell.runs)
    place = {"rope_strategy": cell.strategy, "rearranger": cell.rearranger, "frames": cell.frames, "kv": cell.kv_quant}
    for (layer, head), kl in np.ndenumerate(mean.kl):
        error = float(mean.output_error[layer, head])
        yield {**place, "layer": layer, "head": head, "kl_nats": float(kl), "output_error": error}


if __name__ == "__main__":
    sys.exit(run_command("heads", "runs/<sweep>", write_heads))
