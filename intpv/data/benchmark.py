"""Benchmark: the interface between a run and its data."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from intpv.errors import BadInput

from .item import VideoItem


class Benchmark(ABC):
    """A set of videos with questions; `items` is the same list every time."""

    name: ClassVar[str]

    @abstractmethod
    def items(self) -> list[VideoItem]:
        """All videos, their files in place."""

    @property
    def split(self) -> str:
        """Which of its videos these are."""
        return "test"

    def calibration(self, videos: int) -> "Benchmark":
        """`videos` clips of the same kind that no test has, for ranges to be calibrated on; their answers go unread.

        BadInput where there are none: a range that has seen the test set would flatter every score.
        """
        raise BadInput(f"data={self.name} names no calibration split, got only its {self.split} split")

    def bounds(self, item: VideoItem, indices: Sequence[int]) -> list[dict]:
        """What the frames shown (`indices`) allow at best and at worst, for each question of a video in order.

        {"ceiling": best expected score with these frames, "blind": best one without any, "labels": {...}}; None where
        it is not known, as for every real video.
        """
        return [{"ceiling": None, "blind": None, "labels": {}} for _ in item.questions]
