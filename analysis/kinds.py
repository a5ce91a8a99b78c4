"""Accuracy by kind of question, or by any label, each beside its majority floor: no score stands without it.

python -m analysis.kinds runs/mine [LABEL [KIND]]

With KIND of its questions alone. A label is what a benchmark or a further column of data=folder says of a question:
group, domain, topic, ...
"""

import sys
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

from intpv.errors import BadInput
from intpv.escape import markdown_table
from intpv.metrics.majority_floor import majority_floor
from intpv.metrics.sample import groups, is_correct, mean
from intpv.record.samples import Sample

from .provenance import provenance_lines
from .runs import Cell, read_sweep, say
from .seeds import over_seeds
from .units import MISSING, percent

HEADING = (
    "## By kind of question\n\nAccuracy in %. floor: what always giving the commonest right answer of the kind would "
    "score. `python -m analysis.kinds RUN LABEL` groups by a label instead.\n\n"
)


def kinds_table(cells: Sequence[Cell], label: str | None = None, kind: str | None = None) -> str:
    """Markdown, a row per finished cell below a row of questions and one of floors; a table for each set of questions.

    By `label`, and questions without it are left out; None is by kind. Of one `kind` alone where it is named. BadInput
    where no question has the label, or is of the kind.
    """
    asked_of = [(cell, cell.samples()) for cell in cells if cell.metrics]
    kinds = sorted({line["kind"] for _, lines in asked_of for line in lines})
    if kind is not None and kind not in kinds:
        raise BadInput(f"KIND must be one of {', '.join(kinds) or 'none'}, got {kind}")
    asked_of = [(cell, [line for line in lines if kind in (None, line["kind"])]) for cell, lines in asked_of]
    lines = [(cell, groups(some, _value(label))) for cell, some in asked_of]
    found: dict[tuple, list[tuple[Cell, dict[str, list[Sample]]]]] = {}
    for cell, by_value in lines:
        if by_value:
            ordered = sorted(by_value, key=by_number)
            asked = tuple((value, len(by_value[value]), _floor(by_value[value])) for value in ordered)
            found.setdefault(asked, []).append((cell, by_value))
    if not found:
        known = sorted({name for _, some in asked_of for line in some for name in line["labels"]})
        raise BadInput(f"LABEL must be one of {', '.join(known) or 'none'}, as questions have it, got {label}")
    return "\n".join(_table(asked, those) for asked, those in found.items())


def append_kinds(cells: Sequence[Cell], path: Path) -> None:
    """Add the table to a Markdown file; nothing for a benchmark that knows its bounds, or one with a single kind."""
    done = [cell for cell in cells if "majority_floor_macro" in cell.metrics and "ceiling" not in cell.metrics]
    if done:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{HEADING}{kinds_table(done)}")


def _value(label: str | None) -> Callable[[Sample], object]:
    return (lambda line: line["kind"]) if label is None else (lambda line: line["labels"].get(label))


def by_number(value: str) -> tuple[float, str]:
    """2 before 18, and words behind all numbers."""
    try:
        return float(value), value
    except ValueError:
        return inf, value


def _floor(lines: list[Sample]) -> str:
    return percent(majority_floor(lines)["majority_floor"])


def _table(asked: tuple, cells: Sequence[tuple[Cell, dict[str, list[Sample]]]]) -> str:
    values, questions, floors = zip(*asked, strict=True)
    rows = [["questions", *[MISSING] * 3, *map(str, questions)], ["floor", *[MISSING] * 3, *floors]]
    for cell, by_value in cells:
        scores = [percent(mean([is_correct(line) for line in by_value[value]])) for value in values]
        rows.append([cell.strategy, cell.rearranger, str(cell.frames), cell.kv_quant, *scores])
    return markdown_table(["RoPE", "order", "F", "kv", *values], rows)


def main() -> int:
    if not 2 <= len(sys.argv) <= 4:
        print("usage: python -m analysis.kinds runs/<sweep> [LABEL [KIND]]", file=sys.stderr)
        return 2
    folder, *asked = sys.argv[1:]

    def shown() -> list[str]:
        cells = read_sweep(Path(folder))
        return [f"{provenance_lines(Path(folder), cells)}\n", kinds_table(over_seeds(cells), *asked)]

    return say(shown)


if __name__ == "__main__":
    sys.exit(main())
