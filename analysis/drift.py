"""Drift: how far from their true time a model places events, and what its video tokens still tell of time.

    python -m analysis.drift runs/temporal_drift

Of questions in which part of the video an event was: exact, and the mean error in parts (above 0 is late) [95 %
interval, bootstrap over videos] {each training}. Where a sweep has measure=signatures, time read off the tokens by a
linear probe that was fitted at the trained length: R2 beyond it, and there. Writes drift.md into the sweep's folder.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from intpv.errors import BadInput
from intpv.escape import markdown_table, printable
from intpv.metrics.interval import bootstrap, video_sums
from intpv.metrics.when import displacement
from intpv.record.samples import Sample

from .consistency import refuse_mixed
from .provenance import provenance_lines
from .runs import Cell, of_run, read_sweep, run_command
from .score_columns import of_regime, regimes
from .seeds import by_training, over_seeds
from .units import MISSING, interval_text, percent

PROBE = ("signature/time_probe/r2", "signature/time_probe/r2_baseline")


def write_drift(folder: str | Path) -> list[Path]:
    """drift.md. BadInput where no finished cell asked when something was."""
    folder = Path(folder)
    cells = read_sweep(folder)
    refuse_mixed(cells)
    done = [cell for cell in over_seeds(cells) if cell.status == "done"]
    asked = [name for name in regimes(done) if any(_placed(cell, name) for cell in done)]
    if not asked:
        raise BadInput(f"{folder}: no finished cell has an answer that names a part of the video (kind `when`)")
    header = ["order", "RoPE", "F", "kv"]
    header += [f"{regime} {name}".strip() for regime in asked for name in ("exact in %", "mean error in parts")]
    rows = []
    for cell in done:
        texts = [text for regime in asked for text in _texts(cell, regime)]
        probe = [_over_trainings(cell, name) for name in PROBE]
        rows.append([cell.rearranger, cell.strategy, str(cell.frames), cell.kv_quant, *texts, *probe])
    told = " ".join((__doc__ or "").split("\n\n")[2].split()).partition(" Writes")[0]
    text = f"# Drift: {printable(folder.name)}\n\n{provenance_lines(folder, done)}\n{told}\n\n"
    table = markdown_table([*header, "R2 of time", "at the trained length"], rows)
    (folder / "drift.md").write_text(text + table, encoding="utf-8")
    return [folder / "drift.md"]


def _placed(cell: Cell, regime: str) -> list[Sample]:
    lines = [line for run in cell.runs for line in of_run(run.samples(), run)]
    return [line for line in of_regime(lines, regime) if displacement(line) is not None]


def _texts(cell: Cell, regime: str) -> tuple[str, str]:
    lines = _placed(cell, regime)
    if not lines:
        return MISSING, MISSING
    off = _parts(lines)
    sums = video_sums(lines, lambda line: (displacement(line) or 0, 1))
    low, high = bootstrap(sums, lambda drawn: drawn[..., 0] / drawn[..., 1]) or (None, None)
    # interval_text is of shares, in percent
    interval = "" if low is None or high is None else interval_text(low / 100, high / 100, 2, float(np.mean(off)) / 100)
    own = [_placed(one, regime) for one in by_training(cell).values()]
    alone = [f"{np.mean(_parts(each)):+.2f}" for each in own if each]
    braces = f" {{{', '.join(alone)}}}" if alone else ""
    return percent(float(np.mean(np.equal(off, 0)))), f"{np.mean(off):+.2f}{interval}{braces}"


def _parts(lines: Sequence[Sample]) -> list[int]:
    return [off for line in lines if (off := displacement(line)) is not None]


def _over_trainings(cell: Cell, name: str) -> str:
    """A mean, and each training's own in braces."""
    if name not in cell.metrics:
        return MISSING
    alone = [f"{one.metrics[name]:.2f}" for one in by_training(cell).values() if name in one.metrics]
    return f"{cell.metrics[name]:.2f}" + (f" {{{', '.join(alone)}}}" if alone else "")


def main() -> int:
    return run_command("drift", "runs/<sweep>", write_drift)


if __name__ == "__main__":
    sys.exit(main())
