"""Verdict: what a cell loses against a reference, in words that follow from the intervals of every kind of question.

Generated text says that something costs nothing, or that two cells cannot be told apart, in these words alone.
"""

from collections.abc import Mapping, Sequence

from .units import interval_text, percent

MARGIN = 0.02  # of accuracy; a change inside it counts as none
NOTHING = f"loses nothing (every kind of question within {100 * MARGIN:g} points)"
UNTOLD = "is not told apart in every training ({} of {} answers differ)"
NAMED = 3  # kinds, those with the largest losses


def verdict(rows: Sequence[Mapping]) -> str:
    """Of the lines of differences.csv for one cell and one reference, of one regime or of several.

    NOTHING only where the 90 % interval of every line lies inside the margin, else the kinds that are lost with their
    differences in points, the largest first, else UNTOLD, with how many answers differ at all.
    """
    if rows and all(row["low"] > -MARGIN and row["high"] < MARGIN for row in rows):
        return NOTHING
    lost = sorted((row for row in rows if is_loss(row)), key=lambda row: row["mean"])
    lost = [row for row in lost if row["kind"]] or lost
    named = ", ".join(f"{_name(row)} {points(row)}" for row in lost[:NAMED])
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return f"loses {named}{more}" if lost else UNTOLD.format(*_differing(rows))


def is_loss(row: Mapping) -> bool:
    """Whether all intervals there are lie below 0, where few answers differ, the bootstrap's own is too narrow; and
    each training alone has lost too, of a cell that was run with several."""
    below = row["high"] < 0 and (row["ci95_high"] is None or row["ci95_high"] < 0)
    return below and all(mean < 0 for mean in row["trainings"])


def _differing(rows: Sequence[Mapping]) -> tuple[int, int]:
    """How many answers are right on one side alone, and of how many."""
    whole = [row for row in rows if not row["kind"]]
    return sum(row["gained"] + row["lost"] for row in whole), sum(row["questions"] for row in whole)


def points(row: Mapping) -> str:
    """-9.3 [-15.2, -4.1]: the difference in points with its 95 % interval, and where that is none with the 90 % one."""
    if row["ci95_low"] is None:
        return f"{percent(row['mean'])}{interval_text(row['low'], row['high'], 1, row['mean'], row['videos'])} (90 %)"
    return f"{percent(row['mean'])}{interval_text(row['ci95_low'], row['ci95_high'], 1, row['mean'], row['videos'])}"


def trainings_text(row: Mapping) -> str:
    """-5.1, -6.0, -4.9: the same of each training alone; nothing of one training."""
    return ", ".join(percent(mean) for mean in row["trainings"])


def _name(row: Mapping) -> str:
    return f"{row['regime']} {row['kind'] or 'questions'}".strip()
