"""Contrast: what one setting gains or loses against another value of it, all else alike, wherever a sweep tried both.

    python -m analysis.contrast runs/kv_fidelity model.tuned=null
    python -m analysis.contrast runs/longer budget=random,downsample,none

Every other value of the setting is held against each that is named, on the same questions, at every combination of
whatever else was swept, and in each regime; the bytes of both stand beside, for only at equal ones a gain is the
setting's. Then every cell against the one of the highest accuracy, whatever its size. p: by flipping the signs of whole
videos, adjusted over all lines of a table together (Holm 1979). Told apart: p < 0.05, and every training shows the same
sign. The cell of the highest accuracy was chosen by the same answers: others are a little nearer to it than that says.
Writes contrast.md and contrast.csv into the sweep's folder.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from intpv.errors import BadInput
from intpv.escape import printable
from intpv.metrics.significance import holm, sign_flip

from .consistency import refuse_mixed
from .effects import LEVEL, Columns, Effect, split_setting
from .kinds import by_number
from .page_and_table import write_page_and_table
from .pairs import Read
from .places import Found, Place, by_place, common, told
from .provenance import provenance_lines
from .runs import Cell, read_sweep, say
from .score_columns import regimes
from .table import markdown_table
from .units import bytes_text, percent


@dataclass(frozen=True)
class Contrast:
    """One value of the setting at one place, against a reference."""

    place: Place
    regime: str
    value: str
    nbytes: float  # of its KV prefix
    accuracy: float  # 0 to 1
    reference: str
    reference_bytes: float
    reference_accuracy: float
    effect: Effect  # accuracy minus the reference's
    p: float  # adjusted over the lines of its table

    @property
    def is_told_apart(self) -> bool:
        return self.effect.is_told_apart(self.p)


def contrasts(cells: Sequence[Cell], setting: str) -> tuple[list[Contrast], list[Contrast]]:
    """Against the values that `setting` names, KEY=VALUE[,VALUE ...], at the places that have them; and of every value
    at every place against the best cell of the regime.

    Raises BadInput where a value was not swept or stands nowhere beside another, and where questions are not the same.
    """
    key, references = _parts(setting)
    done = [cell for cell in cells if cell.status == "done"]
    refuse_mixed(done, across={key.split(".")[0]})  # what is compared may differ, and nothing else
    found = by_place(done, key)
    values = sorted({value for place in found.values() for value in place}, key=by_number)
    if missing := [one for one in references if one not in values]:
        raise BadInput(f"{key} must be one of {', '.join(values)}, got {missing[0]}")
    pairs = [
        (place, value, place, reference)
        for place, by_value in found.items()
        for reference in references
        for value in sorted(by_value, key=by_number)
        if reference in by_value and value not in references
    ]
    if not pairs:
        raise BadInput(f"no two finished cells differ in {key} alone, one of them with {', '.join(references)}")
    read = cache(Cell.samples)  # each cell stands in many pairs
    sought = [(regime, *pair) for regime in regimes(done) for pair in pairs]
    ours = _compared(found, sought, lambda _, value: value, read)

    def reference_first(value: str) -> tuple:  # of equals it is called the best
        return value not in references, by_number(value)

    everywhere = [(place, value) for place, own in found.items() for value in sorted(own, key=reference_first)]
    against_best = []
    for regime in regimes(done):
        columns = Columns([found[place][value] for place, value in everywhere], regime, read)
        best = everywhere[int(columns.accuracies.argmax())]
        against_best += [(regime, *one, *best) for one in everywhere if one != best]
    same = common(found)
    return ours, _compared(found, against_best, lambda place, value: " ".join([*told(place, same), value]), read)


def _compared(
    found: Found, pairs: Sequence[tuple[str, Place, str, Place, str]], named: Callable[[Place, str], str], read: Read
) -> list[Contrast]:
    drawn, ps = [], []
    for regime, place, value, base_place, base in pairs:
        ours, theirs = found[place][value], found[base_place][base]
        columns = Columns([ours, theirs], regime, read)
        accuracy, other = map(float, columns.accuracies)
        effect = columns.effect(np.array([1.0, -1.0]))
        drawn.append(
            (place, regime, value, _bytes(ours), accuracy, named(base_place, base), _bytes(theirs), other, effect)
        )
        ps.append(sign_flip(columns.sums[:, 0] - columns.sums[:, 1]))
    return [Contrast(*one, p) for one, p in zip(drawn, holm(ps), strict=True)]


def write_contrast(folder: str | Path, setting: str) -> list[Path]:
    """contrast.md and contrast.csv in the sweep's folder."""
    folder = Path(folder)
    cells = read_sweep(folder)
    found, against_best = contrasts(cells, setting)
    key, references = _parts(setting)
    explained = (
        f"Points of accuracy [95 % interval, bootstrap over videos] {{each training}} on the same questions. p: "
        f"adjusted over all lines of a table (Holm); told apart: p < {LEVEL} and the same sign in every training."
    )
    parts = [f"# Contrast: {printable(folder.name)}\n\n{provenance_lines(folder, cells)}\n{explained}\n"]
    parts += [f"## Against {', '.join(references)}\n", _table(key, found)]
    parts += ["## Against the best of any size\n", _table(key, against_best)]
    rows = [_row(key, one) for one in (*found, *against_best)]
    return write_page_and_table(folder, "contrast", "\n".join(parts), rows)


def _table(key: str, lines: Sequence[Contrast]) -> str:
    names = [name for name, _ in lines[0].place] if lines else []
    varied = [name for name in names if len({dict(one.place)[name] for one in lines}) > 1]
    header = [*varied, "regime", key, "KV", "accuracy in %", "against", "KV", "accuracy in %"]
    rows = [
        [
            *(dict(one.place)[name] for name in varied),
            *(one.regime, one.value, bytes_text(one.nbytes), percent(one.accuracy)),
            *(one.reference, bytes_text(one.reference_bytes), percent(one.reference_accuracy)),
            *(str(one.effect), f"{one.p:.3f}", "yes" if one.is_told_apart else ""),
        ]
        for one in lines
    ]
    return markdown_table([*header, "difference", "p", "told apart"], rows)


def _row(key: str, one: Contrast) -> dict[str, object]:
    return {
        **dict(one.place),
        "regime": one.regime,
        key: one.value,
        "kv_bytes": one.nbytes,
        "accuracy": one.accuracy,
        "reference": one.reference,
        "reference_kv_bytes": one.reference_bytes,
        "reference_accuracy": one.reference_accuracy,
        **one.effect.row,
        "p_holm": one.p,
    }


def _parts(setting: str) -> tuple[str, list[str]]:
    key, values = split_setting(setting)
    return key, re.split(r",(?![^\[]*\])", values)  # a list is one value


def _bytes(cells: Sequence[Cell]) -> float:
    return float(np.mean([cell.metrics["kv/bytes"] for cell in cells]))


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python -m analysis.contrast runs/<sweep> KEY=VALUE[,VALUE ...]", file=sys.stderr)
        return 2
    return say(lambda: write_contrast(sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
