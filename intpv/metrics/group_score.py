"""Group score: questions that only count together, those with one label `pair`, as Vinoground's (arXiv 2410.02763).

Of a pair's text questions (which caption is this clip's) both must be right for the text score, of its video questions
(which clip is this caption's) both for the video score, and all four for the group score.
"""

from collections.abc import Sequence
from math import prod
from operator import itemgetter

from intpv.metrics.sample import Samples, groups, is_correct, mean


def group_score(samples: Samples) -> dict[str, float]:
    """`pair_score/<kind>`, `group_score` over two kinds or more, each with what blind guesses score, `..._floor`.

    Pairs that lack a question (data.limit, data.kinds) count in none. Empty where no question has the label.

    >>> line = {"kind": "text", "labels": {"pair": 0}, "options": ["A", "B"], "error": None, "correct": True}
    >>> group_score([line | {"answer": answer} for answer in "AB"])
    {'pair_score/text': 1.0, 'pair_score_floor/text': 0.25}
    """
    paired = [sample for sample in samples if _pair(sample) is not None]
    by_kind = groups(paired, itemgetter("kind"))
    metrics: dict[str, float] = {}
    for kind, lines in by_kind.items():
        if whole := _whole(lines):
            metrics |= {f"pair_score/{kind}": _score(whole), f"pair_score_floor/{kind}": _floor(whole)}
    if len(by_kind) > 1 and (whole := _whole(paired)):
        metrics |= {"group_score": _score(whole), "group_score_floor": _floor(whole)}
    return metrics


def _pair(sample) -> object:
    return sample["labels"].get("pair")


def _whole(samples: Samples) -> list[Samples]:
    """The questions of each pair that has all of them, two or more."""
    pairs = groups(samples, _pair).values()
    most = max(map(len, pairs), default=0)
    return [lines for lines in pairs if len(lines) == most > 1]


def _score(pairs: Sequence[Samples]) -> float:
    return mean([all(map(is_correct, lines)) for lines in pairs])


def _floor(pairs: Sequence[Samples]) -> float:
    """The better of guessing each question apart and of always giving one and the same answer."""
    guessed = mean([prod(_chance(sample) for sample in lines) for lines in pairs])
    answers = {sample["answer"] for lines in pairs for sample in lines}
    return max(guessed, *(mean([all(s["answer"] == answer for s in lines) for lines in pairs]) for answer in answers))


def _chance(sample) -> float:
    options = sample["options"]
    return options.count(sample["answer"]) / len(options) if options else 0.0
