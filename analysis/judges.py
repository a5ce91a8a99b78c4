"""Two judges on the same predictions: agreement, kappa, and what each would call the accuracy.

python -m analysis.judges runs/mine@llm_judge-ONE runs/mine@llm_judge-OTHER
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from intpv.errors import BadInput
from intpv.escape import markdown_table
from intpv.metrics.agreement import Agreement, agreement
from intpv.record.samples import Sample

from .provenance import scored_by
from .runs import read_sweep, say
from .units import MISSING, percent


@dataclass(frozen=True)
class JudgePair:
    """A cell as two judges see it."""

    cell: str
    both: Agreement | None  # on answers that both call right or wrong; None where there are none
    left_out: int  # answers on which one of them, or both, said neither


def judge_pair(cell: str, first: Sequence[Sample], second: Sequence[Sample]) -> JudgePair:
    """BadInput where the predictions are not the same."""
    others = {sample["id"]: sample for sample in second}
    if strange := next(iter(sorted(others.keys() ^ {sample["id"] for sample in first})), None):
        counts = f"{len(first)} and {len(second)}"
        raise BadInput(f"{cell}: both judges must have the same questions, got {counts}, {strange} in one alone")
    pairs = [(sample, others[sample["id"]]) for sample in first]
    if strange := next((one["id"] for one, other in pairs if one["prediction"] != other["prediction"]), None):
        raise BadInput(f"{cell}: both judges must have the same predictions, got two of question {strange}")
    words = [(one.get("verdict"), other.get("verdict"), one["video"]) for one, other in pairs]
    known = [(one == "yes", other == "yes", video) for one, other, video in words if {one, other} <= {"yes", "no"}]
    asked = sum(one is not None or other is not None for one, other, _ in words)
    columns = [list(column) for column in zip(*known, strict=True)]
    return JudgePair(cell, agreement(*columns) if known else None, asked - len(known))  # type: ignore[arg-type]


def compare_judges(first: Path, second: Path) -> str:
    """Markdown, a row per cell that both have judged. BadInput for a folder that no judge has scored."""
    cells = []
    for folder in (first, second):
        found = {cell.folder.name: cell for cell in read_sweep(folder) if cell.metrics}
        if not any("judge/unparsed" in cell.metrics for cell in found.values()):
            raise BadInput(f"{folder} is of no judge: python -m experiments.score RUN scorer=llm_judge makes one")
        cells.append(found)
    names = sorted(cells[0].keys() & cells[1].keys())
    if not names:
        raise BadInput(
            f"{first} and {second} must have cells of the same names, got {min(cells[0])} and {min(cells[1])}"
        )
    rows = [_row(judge_pair(name, cells[0][name].samples(), cells[1][name].samples())) for name in names]
    header = ["cell", "answers", "agree %", "kappa", "95 %", "first: yes %", "second: yes %", "neither"]
    said = f"first: {scored_by(first)}\nsecond: {scored_by(second)}\n"
    return f"{said}\n{markdown_table(header, rows)}"


def _row(pair: JudgePair) -> list[str]:
    both = pair.both
    if both is None:
        return [pair.cell, "0", *[MISSING] * 5, str(pair.left_out)]
    kappa = MISSING if both.kappa is None else f"{both.kappa:.2f}"
    interval = MISSING if both.kappa_interval is None else "[{:.2f}, {:.2f}]".format(*both.kappa_interval)
    shares = [percent(both.first_yes), percent(both.second_yes)]
    return [pair.cell, str(both.answers), percent(both.agreement), kappa, interval, *shares, str(pair.left_out)]


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python -m analysis.judges runs/<sweep>@<judge> runs/<sweep>@<other judge>", file=sys.stderr)
        return 2
    return say(lambda: [compare_judges(Path(sys.argv[1]), Path(sys.argv[2]))])


if __name__ == "__main__":
    sys.exit(main())
