"""Portions: how many questions are fed side by side, so that memory has a bound whatever their number.

Every row is scored against the keys of all questions beside it, under a mask over those: what is fed at once costs
memory and time in the square of its rows. The prefix is read in blocks of its own, whatever the rows.
"""

from collections.abc import Iterator, Sequence

ROWS = 768  # R, rows of all questions of a portion: MSRVTT-QA's 24 fit, and the mask over them is 0.6 MB


def portions(sizes: Sequence[int]) -> Iterator[slice]:
    """Which of consecutive questions go together. `sizes` are the rows of each, answer and options counted; a question
    is never cut, however long it is.
    """
    start = rows = 0
    for index, size in enumerate(sizes):
        if start < index and rows + size > ROWS:
            yield slice(start, index)
            start, rows = index, 0
        rows += size
    if start < len(sizes):
        yield slice(start, len(sizes))
