"""Majority floor: what a model scores that always gives the commonest right answer of a kind, and has seen no video.

Of open questions the commonest answer, of those with options that or the commonest place of the right one (always "A"),
whichever is right more often. It knows the answers that it is scored by, so of a few questions it is too high.
"""

from collections import Counter
from operator import itemgetter

from intpv.metrics.sample import Samples, groups, mean
from intpv.scorer.options import normalised


def majority_floor(samples: Samples) -> dict[str, float]:
    """`majority_floor`, `majority_floor/<kind>` and over two kinds or more their mean, `majority_floor_macro`.

    >>> yes, no = ({"kind": "presence", "options": [], "answer": answer} for answer in ("yes", "no"))
    >>> majority_floor([yes, yes, yes, no])
    {'majority_floor': 0.75, 'majority_floor/presence': 0.75}
    """
    if not samples:
        return {}
    right = {kind: (_most_right(lines), len(lines)) for kind, lines in groups(samples, itemgetter("kind")).items()}
    floors = {f"majority_floor/{kind}": most / asked for kind, (most, asked) in right.items()}
    overall = {"majority_floor": sum(most for most, _ in right.values()) / len(samples)}
    if len(floors) > 1:
        overall["majority_floor_macro"] = mean([*floors.values()])
    return overall | floors


def _most_right(samples: Samples) -> int:
    """How many one answer is right for, or one place among the options."""
    answers, places = Counter[str](), Counter[int]()
    for sample in samples:
        answer = sample["answer"]
        if not answer:  # that nobody wrote down is never given
            continue
        answers[normalised(answer)] += 1
        # of equal options each is right
        places.update(place for place, option in enumerate(sample["options"]) if option == answer)
    return max([0, *answers.values(), *places.values()])
