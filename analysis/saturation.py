"""Saturation of a sweep: the frame count that reaches 95 % of the best, of each regime, with its interval.

python -m analysis.saturation runs/speed [--label LABEL] [--held-out runs/speed_held_out]

A line is a strategy, order and KV, and a value of the label (default: regime; kind is one too) or all questions. The
plateau and the frames are those of a curve a + b (1 - exp(-F / c)) through its accuracies (intpv/metrics/saturation.py)
with 95 % intervals, videos drawn whole. What falls, is still rising or has too few frame counts is named, not fitted.
A held-out sweep, of the same frame counts and other videos, tells what the rule that follows is worth: how much of its
best accuracy each line keeps at the frames that the first sweep found enough.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from intpv.errors import BadInput
from intpv.escape import markdown_table
from intpv.metrics.cell import LABEL
from intpv.metrics.interval import bootstrap, video_sums
from intpv.metrics.sample import groups, is_correct
from intpv.metrics.saturation import LEAST, SHARE, Saturation, saturation
from intpv.record.samples import Sample

from .consistency import refuse_mixed
from .provenance import provenance_lines
from .runs import Cell, read_sweep, say
from .seeds import over_seeds
from .units import MISSING, interval_text, percent

ALL = "all"
HEADER = ("RoPE", "order", "kv", "questions", "accuracy at F", "plateau", "95 % of it at F", "run", "remark")
HELD_OUT_HEADER = (*HEADER[:4], "rule: F", "kept at it", "at the fewest", "at the most")
HELD_OUT = (
    "The rule on videos it was not found on: accuracy at its frames, and at the fewest and the most, in % of the best "
    "frame count's of the same sweep [95 % interval, bootstrap over videos, the best found anew in each]."
)
Lines = Sequence[Sample]


def saturation_table(cells: Sequence[Cell], label: str = LABEL, held_out: Sequence[Cell] = ()) -> str:
    """Markdown, a row per line; of `held_out`, where there is any, another table. BadInput where no finished cell is
    there, or no question has the label."""
    done = [cell for cell in cells if cell.status == "done"]
    if not done:
        raise BadInput(f"no cell is finished, got {', '.join(sorted({cell.status for cell in cells}))}")
    read, value = cache(Cell.samples), _value(label)
    known = sorted({name for line in read(done[0]) for name in line["labels"]} | {"kind"})
    if label not in known and label != LABEL:
        raise BadInput(f"--label must be one of {', '.join(known)}, as questions have it, got {label}")
    rows = [row for series in _series(done) for row in _rows(series, read, value)]
    text = f"{_told(label)}\n\n{markdown_table(HEADER, rows)}"
    if held_out:
        text += f"\n{HELD_OUT}\n\n{markdown_table(HELD_OUT_HEADER, list(_held_out(rows, held_out, read, value)))}"
    return text


def _held_out(
    rows: Sequence[Sequence[str]], cells: Sequence[Cell], read: Callable, value: Callable[[Sample], Any]
) -> Iterator[list[str]]:
    rules = {tuple(row[:4]): row[HEADER.index("run")] for row in rows}
    done = _series([cell for cell in cells if cell.status == "done"])
    found = {name: (frames, lines) for series in done for name, frames, lines in _lines(series, read, value)}
    for name, rule in rules.items():
        if rule == MISSING:
            continue
        frames, lines = found.get(name, ([], []))
        if int(rule) not in frames:
            raise BadInput(f"the held-out sweep has no finished cell of {' '.join(name)} at {rule} frames")
        correct, _ = _sums(frames, lines)
        yield [*name, rule, *(_kept(correct, place) for place in (frames.index(int(rule)), 0, -1))]


def _kept(correct: np.ndarray, place: int) -> str:
    """Accuracy at one frame count in % of the best of all, which is found anew in every resample."""

    def share(sums: np.ndarray) -> np.ndarray:
        return sums[..., place] / sums.max(-1)

    sums = correct.astype(float)
    low, high = bootstrap(sums, share) or (None, None)
    kept = float(share(sums.sum(0)))
    return percent(kept) + interval_text(low, high, 1, kept, len(correct))


def _series(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that differ in frames alone, fewest first."""
    found: dict[tuple, dict[int, Cell]] = {}
    for cell in cells:
        key = (cell.strategy, cell.rearranger, cell.kv_quant, cell.encoder, cell.model, cell.data)
        found.setdefault(key, {})[cell.frames] = cell
    return [[cell for _, cell in sorted(series.items())] for series in found.values()]


def _rows(series: Sequence[Cell], read: Callable, value: Callable[[Sample], Any]) -> Iterator[list[str]]:
    for name, frames, lines in _lines(series, read, value):
        yield [*name, *_texts(frames, lines)]


def _lines(
    series: Sequence[Cell], read: Callable, value: Callable[[Sample], Any]
) -> Iterator[tuple[tuple[str, ...], list[int], list[Lines]]]:
    """A line's name, its frame counts, and its answers at each."""
    by_cell = [{ALL: read(cell), **groups(read(cell), value)} for cell in series]
    for group in by_cell[0]:
        if group == ALL and len(by_cell[0]) == 2:  # the one value is all there is
            continue
        name = (series[0].strategy, series[0].rearranger, series[0].kv_quant, group)
        yield name, [cell.frames for cell in series], [lines.get(group, []) for lines in by_cell]


def _texts(frames: Sequence[int], lines: Sequence[Lines]) -> list[str]:
    shown = observed = MISSING
    try:
        correct, asked = _sums(frames, lines)
        scores = correct.sum(0) / asked.sum()
        shown = ", ".join(f"{percent(score)} at {count}" for count, score in zip(frames, scores, strict=True))
        if len(frames) >= LEAST:
            observed = str(frames[int((scores >= SHARE * scores.max()).argmax())])
        found = saturation(frames, correct, asked)
    except BadInput as error:
        return [shown, MISSING, MISSING, observed, f"no saturating curve: {error}"]
    plateau = percent(found.plateau) + interval_text(
        found.plateau_low, found.plateau_high, 1, found.plateau, len(asked)
    )
    enough = next(str(count) for count in frames if count >= found.frames)
    return [shown, plateau, _frames_text(found, frames, len(asked)), enough, ""]


def _frames_text(found: Saturation, frames: Sequence[int], videos: int) -> str:
    """22.4 [17.1, > 64]; a curve that is flat needs no more than the fewest, which are at least as many as it needs."""

    def text(count: float) -> str:
        return f"≤ {frames[0]}" if count <= frames[0] else f"> {frames[-1]}" if count > frames[-1] else f"{count:.1f}"

    if found.frames_low is None or found.frames_high is None:
        return text(found.frames)
    few = "*" if videos < 10 else ""
    return f"{text(found.frames)} [{text(found.frames_low)}, {text(found.frames_high)}]{few}"


def _sums(frames: Sequence[int], lines: Sequence[Lines]) -> tuple[np.ndarray, np.ndarray]:
    """Right answers (videos, frame counts) and questions (videos,). BadInput where the questions are not the same."""
    asked = {tuple(sorted(line["id"] for line in some)): count for count, some in zip(frames, lines, strict=True)}
    if len(asked) > 1:
        sizes = ", ".join(f"{len(ids)} at {count}" for ids, count in asked.items())
        raise BadInput(f"frame counts were asked other questions ({sizes})")
    sums = [video_sums(some, lambda line: (is_correct(line), 1)) for some in lines]
    return np.stack([each[:, 0] for each in sums], 1), sums[0][:, 1]


def _value(label: str) -> Callable[[Sample], Any]:
    return itemgetter("kind") if label == "kind" else lambda line: line["labels"].get(label)


def _told(label: str) -> str:
    return (
        f"Frames that reach 95 % of the best, by {label}: accuracy in %, plateau in % and frames with 95 % intervals "
        "(bootstrap over videos; *: of fewer than 10 videos); run: the fewest of the frame counts that were run and "
        "reach it, or 95 % of the best that was seen where no curve saturates."
    )


def main() -> int:
    parser = ArgumentParser("python -m analysis.saturation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sweep", type=Path, metavar="runs/<sweep>")
    parser.add_argument("--label", default=LABEL, help="of the questions, or kind (default: %(default)s)")
    parser.add_argument("--held-out", type=Path, metavar="runs/<sweep>", help="the same sweep on other videos")
    given = parser.parse_args()

    def shown() -> list[str]:
        cells = read_sweep(given.sweep)
        held_out = read_sweep(given.held_out) if given.held_out else []
        for sweep in (cells, held_out):
            refuse_mixed(sweep)
        if split := {cell.split for cell in cells} & {cell.split for cell in held_out}:
            raise BadInput(f"--held-out must be of other videos, got data.seed={min(split, key=str)} in both sweeps")
        table = saturation_table(over_seeds(cells), given.label, over_seeds(held_out))
        return [f"{provenance_lines(given.sweep, cells)}\n", table]

    return say(shown)


if __name__ == "__main__":
    sys.exit(main())
