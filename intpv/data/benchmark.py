"""Benchmark: the interface between a run and its data."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypedDict

from intpv.errors import BadInput
from intpv.video.sampling import Clip

# What a benchmark consists of: videos, each with its questions.


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
    clip: Clip | None = None  # start and end in seconds of what is shown; None: all of it


class ScoreBounds(TypedDict):
    """Between which scores a question lies, from 0 to 1; None where it is not known."""

    ceiling: float | None  # best expected score with the frames shown
    blind: float | None  # best one without any
    labels: Mapping[str, Any]  # for grouping results; JSON values


UNKNOWN_BOUNDS: ScoreBounds = {"ceiling": None, "blind": None, "labels": {}}


def reversal_labels(answer: str, reversed_answer: str | None) -> dict:
    """Labels of a question whose answer for the reversed video is known, as intpv/metrics/frame_order.py reads them.

    `reversed_answer` None: the question makes no sense of the reversed video.
    """
    return {"reversed_answer": reversed_answer, "reverses": reversed_answer not in (None, answer)}


class Benchmark(ABC):
    """A set of videos with questions; `items` is the same list every time."""

    name: ClassVar[str]

    @abstractmethod
    def items(self) -> list[VideoItem]:
        """All videos, their files in place."""

    @property
    def asks_for_letters(self) -> bool:
        """Whether options are shown with letters, so that a model may answer with one."""
        return False

    @property
    def split(self) -> str:
        """Which of its videos these are."""
        return "test"

    def calibration(self, videos: int) -> "Benchmark":
        """`videos` clips of the same kind that no test has, to calibrate ranges and to search RoPE factors on.

        BadInput where there are none: a range that has seen the test set would flatter every score.
        """
        raise BadInput(f"data={self.name} names no calibration split, got only its {self.split} split")

    def bounds(self, item: VideoItem, indices: Sequence[int]) -> list[ScoreBounds]:
        """What the frames shown (`indices`) allow at best and at worst, for each question of a video in order.

        None where it is not known, as for every real video.
        """
        return [UNKNOWN_BOUNDS for _ in item.questions]
