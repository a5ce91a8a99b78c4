"""Parsers of multiple choice on the same predictions: how often other harnesses' rules differ from the strict one.

python -m analysis.parsers runs/mine
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from intpv.escape import markdown_table
from intpv.record.samples import Sample
from intpv.scorer.letters import Letters
from intpv.scorer.lmms_eval import LmmsEval
from intpv.scorer.scorer import Scorer
from intpv.scorer.vlmevalkit import VLMEvalKit

from .runs import read_sweep, run_command
from .units import percent

OTHERS: dict[str, Scorer] = {"lmms_eval": LmmsEval(), "vlmevalkit": VLMEvalKit()}


@dataclass(frozen=True)
class ParserDifference:
    """One harness's rule against `letters`, on answered questions with options."""

    questions: int
    accuracy: float  # 0 to 1, the harness's
    strict: float  # the same by `letters`
    invalid: int  # predictions that name no option by the strict rule
    read: int  # of these, read as an option all the same
    right_by_luck: int  # of these, counted as right
    turned: int  # valid by the strict rule and judged the other way
    lost: int  # valid by the strict rule, invalid to the harness


def parser_difference(samples: Sequence[Sample], other: Scorer) -> ParserDifference:
    """Of samples that have options and an answer."""
    strict, theirs = ([scorer.scored(sample) for sample in samples] for scorer in (Letters(), other))
    pairs = list(zip(strict, theirs, strict=True))
    guessed = [their for own, their in pairs if not own["valid"] and their["valid"]]
    both = [(own, their) for own, their in pairs if own["valid"] and their["valid"]]
    return ParserDifference(
        questions=len(samples),
        accuracy=sum(one["correct"] for one in theirs) / len(samples),
        strict=sum(one["correct"] for one in strict) / len(samples),
        invalid=sum(not one["valid"] for one in strict),
        read=len(guessed),
        right_by_luck=sum(one["correct"] for one in guessed),
        turned=sum(own["correct"] != their["correct"] for own, their in both),
        lost=sum(own["valid"] and not their["valid"] for own, their in pairs),
    )


def parser_table(cells: Sequence[tuple[str, Sequence[Sample]]]) -> str:
    """Markdown, a row per cell and harness; cells without such questions are left out."""
    header = ["cell", "rule", "questions", "accuracy", "letters", "invalid", "read all the same", "right by luck"]
    rows = []
    for name, lines in cells:
        samples = [line for line in lines if line["options"] and line["prediction"] is not None]
        for rule, scorer in OTHERS.items() if samples else ():
            one = parser_difference(samples, scorer)
            counts = (one.invalid, one.read, one.right_by_luck, one.turned, one.lost)
            rows.append([name, rule, str(one.questions), percent(one.accuracy), percent(one.strict), *map(str, counts)])
    return markdown_table([*header, "turned", "lost"], rows)


def main() -> int:
    def table(folder: str) -> list[str]:
        return [parser_table([(cell.name, cell.samples()) for cell in read_sweep(Path(folder)) if cell.metrics])]

    return run_command("parsers", "runs/<sweep>", table)


if __name__ == "__main__":
    sys.exit(main())
