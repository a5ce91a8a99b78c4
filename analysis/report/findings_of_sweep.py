"""Findings of a sweep: its questions, each answered by paired differences, with words that the intervals decide."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from intpv.errors import BadInput
from intpv.metrics.significance import holm

from ..comparison import PairedComparison, compare_answers, p_text
from ..pairs import baseline, difference_text, full_precision, paired_lines, partners
from ..runs import Cell
from ..score_columns import of_regime, regimes
from ..style import kv_term, strategy_term
from ..units import percent


class _Pair(NamedTuple):
    label: str
    cell: Cell
    reference: Cell


def findings_of_sweep(cells: Sequence[Cell], id: str) -> list[dict[str, Any]]:
    """Questions with their answers: what is compared, the word for it, its interval in points and where its figure is.

    p is adjusted over all answers of the sweep together (Holm).
    """
    asked = [(question, figure, list(_answers(cells, pairs))) for question, figure, pairs in _questions(cells)]
    adjusted = iter(holm([found.by_video for *_, answers in asked for *_, found in answers]))
    questions = []
    for question, figure, answers in asked:
        told = [_answer(label, regime, found, next(adjusted)) for label, regime, found in answers]
        if told:
            counts = Counter(one["word"] for one in told)
            summary = ", ".join(f"{count} {word}" for word, count in counts.most_common())
            questions.append(
                {"text": question, "summary": summary, "answers": told, "figure": f"{id}-{figure}"} | _scale(told)
            )
    return questions


def _questions(cells: Sequence[Cell]) -> Iterator[tuple[str, str, list[_Pair]]]:
    base = baseline(cells)
    done = [cell for cell in cells if cell.status == "done"]
    most = max(cell.frames for cell in done)
    full = [cell for cell in done if cell.kv_quant == "none" and cell.frames == most]
    if base and most > base.frames:
        bases = [(cell, baseline(cells, cell)) for cell in full]
        pairs = [_Pair(_named(cell, full), cell, own) for cell, own in bases if own]
        yield (
            f"{most} frames against the baseline's {base.frames}: what does each strategy make of them?",
            "accuracy",
            pairs,
        )
    plain = {cell.rearranger: cell for cell in full if cell.strategy == "none"}
    scaled = [_Pair(_named(cell, full), cell, plain[cell.rearranger]) for cell in full if cell.rearranger in plain]
    scaled = [pair for pair in scaled if pair.cell.strategy != "none"]
    yield f"At {most} frames: is scaling RoPE worth it, against no scaling?", "kinds", scaled
    best = max(full, key=lambda cell: cell.metrics.get("accuracy", 0), default=None)
    if best:
        alike = [c for c in done if (c.strategy, c.rearranger, c.frames) == (best.strategy, best.rearranger, most)]
        twins = [(cell, full_precision(cells, cell)) for cell in alike]
        pairs = [_Pair(kv_term(cell.kv_quant), cell, twin) for cell, twin in twins if twin]
        named = f"{strategy_term(best.strategy)}, the most accurate here"
        yield f"At {most} frames with {named}: does a smaller KV cache cost accuracy?", "kv", pairs


def _named(cell: Cell, among: Sequence[Cell]) -> str:
    order = f", {cell.rearranger}" if len({one.rearranger for one in among}) > 1 else ""
    return strategy_term(cell.strategy) + order


def _answers(cells: Sequence[Cell], pairs: Sequence[_Pair]) -> Iterator[tuple[str, str, PairedComparison]]:
    """None of a pair without common questions."""
    read = cache(Cell.samples)
    for regime in regimes(cells):
        for label, cell, reference in pairs:
            sides = paired_lines(read, partners(cell, reference))
            ours, theirs = (of_regime(lines, regime) for lines in sides)
            try:
                yield label, regime, compare_answers(ours, theirs)
            except BadInput:
                continue


def _answer(label: str, regime: str, found: PairedComparison, p: float) -> dict[str, Any]:
    difference = found.difference
    low, high = difference.ci95_low, difference.ci95_high
    ends = (difference.low, difference.high) if low is None or high is None else (low, high)
    return {
        "label": label,
        "regime": regime,
        "word": found.conclusion(p),
        "difference": difference_text(difference),
        "counts": f"{difference.gained} gained, {difference.lost} lost of {difference.questions}",
        "p": p_text(p),
        "detectable": percent(found.detectable),
        "ends": [100 * difference.mean, *(100 * end for end in ends)],
    }


def _scale(answers: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Points at the left and at the right of the bars, 0 among them."""
    ends = [0.0, *(end for one in answers for end in one["ends"])]
    margin = 0.05 * (max(ends) - min(ends)) or 1
    return {"left": min(ends) - margin, "width": max(ends) - min(ends) + 2 * margin}
