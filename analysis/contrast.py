"""Contrast: what one setting gains or loses against another value of it, all else alike, wherever a sweep tried both.

    python -m analysis.contrast runs/kv_pruning kv_evict=random
    python -m analysis.contrast runs/kv_fidelity model.tuned=none

Every other value of the setting is held against the one that is named, on the same questions, at each combination of
whatever else was swept, and in each regime. p: by flipping the signs of whole videos, adjusted over all lines of the
table together (Holm 1979). Told apart: p < 0.05, and every training shows the same sign. Writes contrast.md and
contrast.csv into the sweep's folder.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intpv.errors import BadInput
from intpv.escape import printable
from intpv.metrics.significance import holm, sign_flip

from .consistency import refuse_mixed
from .effects import Columns, Effect, setting_of, split_setting
from .kinds import by_number
from .provenance import provenance_lines
from .runs import LABELLED, Cell, read_sweep, say
from .score_columns import regimes
from .table import markdown_table
from .units import percent

LEVEL = 0.05  # of all lines together
Place = tuple[tuple[str, str], ...]  # what else was swept, and to what


@dataclass(frozen=True)
class Contrast:
    """One value of the setting at one place."""

    place: Place
    regime: str
    value: str
    accuracy: float  # 0 to 1
    reference: float  # of the value that is named
    effect: Effect  # accuracy minus the reference's
    p: float  # adjusted

    @property
    def is_told_apart(self) -> bool:
        signs = {np.sign(one) for one in self.effect.trainings or (self.effect.value,)}
        return self.p < LEVEL and len(signs) == 1


def contrasts(cells: Sequence[Cell], setting: str) -> list[Contrast]:
    """Raises BadInput where the setting was not swept, where a place lacks the value that is named, and where
    questions are not the same."""
    key, reference = split_setting(setting)
    done = [cell for cell in cells if cell.status == "done"]
    refuse_mixed(done)
    found: dict[Place, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in done:
        found[_place(cell, key)][setting_of(cell, key)].append(cell)
    values = sorted({value for place in found.values() for value in place})
    if reference not in values or len(values) < 2:
        raise BadInput(f"{key} must have several values in the sweep, one of them {reference}; it has {values}")
    drawn: list[tuple[Place, str, str, float, float, Effect]] = []
    ps: list[float] = []
    for place, by_value in found.items():
        if reference not in by_value:
            raise BadInput(f"no finished cell of {setting} at {_text(place)}: what is compared must be run everywhere")
        names = sorted(by_value, key=lambda value: (value != reference, by_number(value)))
        for regime in regimes(done):
            columns = Columns([by_value[name] for name in names], regime)
            for at, name in enumerate(names[1:], 1):
                weights = np.eye(len(names))[at] - np.eye(len(names))[0]
                accuracy, base = (float(columns.accuracies[column]) for column in (at, 0))
                drawn.append((place, regime, name, accuracy, base, columns.effect(weights)))
                ps.append(sign_flip(columns.sums[:, at] - columns.sums[:, 0]))
    return [Contrast(*one, p) for one, p in zip(drawn, holm(ps), strict=True)]


def write_contrast(folder: str | Path, setting: str) -> list[Path]:
    """contrast.md and contrast.csv in the sweep's folder."""
    folder = Path(folder)
    cells = read_sweep(folder)
    found = contrasts(cells, setting)
    page, table = folder / "contrast.md", folder / "contrast.csv"
    key, _ = split_setting(setting)
    varied = [name for name, _ in found[0].place if len({dict(one.place)[name] for one in found}) > 1]
    header = [*varied, "regime", key, "accuracy in %", f"minus {setting}", "p", "told apart"]
    rows = [
        [
            *(dict(one.place)[name] for name in varied),
            one.regime,
            one.value,
            percent(one.accuracy),
            str(one.effect),
            f"{one.p:.3f}",
            "yes" if one.is_told_apart else "",
        ]
        for one in found
    ]
    told = (
        f"Points of accuracy [95 % interval, bootstrap over videos] {{each training}} on the same questions. p: "
        f"adjusted over the {len(found)} lines (Holm); told apart: p < {LEVEL} and the same sign in every training."
    )
    head = f"# Contrast: {printable(folder.name)}\n\n{provenance_lines(folder, cells)}\n{told}\n\n"
    page.write_text(head + markdown_table(header, rows), encoding="utf-8")
    with table.open("w", newline="", encoding="utf-8") as file:
        lines = [
            {
                **dict(one.place),
                "regime": one.regime,
                key: one.value,
                "accuracy": one.accuracy,
                "reference": one.reference,
                **one.effect.row,
                "p_holm": one.p,
            }
            for one in found
        ]
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows(lines)
    return [page, table]


def _place(cell: Cell, key: str) -> Place:
    """All that tells cells of a sweep apart but the setting itself and the seeds."""
    parts = {"frames": str(cell.frames)}
    for group in LABELLED:
        option, *fields = getattr(cell, group).split()
        kept = [one for one in fields if f"{group}.{one.partition('=')[0]}" != key]
        parts[group] = " ".join([option] * (group != key) + kept)
    parts["variant"] = " ".join(one for one in cell.variant.split() if one.partition("=")[0] != key)
    return tuple((name, value) for name, value in parts.items() if name != key)


def _text(place: Place) -> str:
    return " ".join(f"{name}={value}" for name, value in place if value)


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python -m analysis.contrast runs/<sweep> KEY=VALUE", file=sys.stderr)
        return 2
    return say(lambda: write_contrast(sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
