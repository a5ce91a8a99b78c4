"""What a benchmark consists of: videos, each with its questions."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Question:
    """One question; its id is the same in every run, whatever the number of frames."""

    id: str
    kind: str
    text: str
    options: tuple[str, ...]  # empty: open-ended
    answer: str
    labels: dict = field(default_factory=dict)  # for grouping results; JSON values


@dataclass(frozen=True)
class VideoItem:
    """A video file and everything that is asked about it."""

    id: str
    path: str
    questions: tuple[Question, ...]
    labels: dict = field(default_factory=dict)  # of the video; JSON values


def reversal_labels(answer: str, reversed_answer: str | None) -> dict:
    """Labels of a question whose answer for the reversed video is known, as intpv/measure/order.py reads them.

    `reversed_answer` None: the question makes no sense of the reversed video.
    """
    return {"reversed_answer": reversed_answer, "reverses": reversed_answer not in (None, answer)}
