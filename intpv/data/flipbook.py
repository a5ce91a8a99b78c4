"""flipbook: rendered clips with exact answers and exact bounds, written once to a cache folder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import ClassVar

from intpv.bounds import check_place, check_whole
from intpv.errors import BadInput
from intpv.flipbook.ceiling import blind, ceiling
from intpv.flipbook.question import Question as Asked
from intpv.flipbook.question import reversed_answer, shortest
from intpv.flipbook.render import write
from intpv.flipbook.scene import CALIBRATION_STREAM, REGIMES, TEST_STREAM, Scene
from intpv.flipbook.split import Clip, draw, generator

from .benchmark import Benchmark, Question, ScoreBounds, VideoItem, reversal_labels

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flipbook(Benchmark):
    """The test split, the regimes' clips in turn; ten questions each."""

    name = "flipbook"
    stream: ClassVar[int] = TEST_STREAM  # the first word of every seed: streams never share a clip
    root: str = "~/.cache/intpv/flipbook"  # folder of the mp4 files, about 40 MB
    videos: int = 60  # of each regime
    seed: int = 0  # another seed is another split
    limit: int | None = None  # the first videos only; None: all
    regimes: Sequence[str] = ("slow", "fast")
    _bounds: dict[tuple[str, tuple[int, ...]], list[ScoreBounds]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        regimes = self.regimes if isinstance(self.regimes, Sequence) else ()
        if not regimes or isinstance(regimes, str) or any(regime not in (*REGIMES,) for regime in regimes):
            raise BadInput(f"data.regimes must be a list out of {', '.join(REGIMES)}, got {self.regimes}")
        check_place("data.root", self.root)
        check_whole("data.videos", self.videos)
        check_whole("data.seed", self.seed, 0)
        check_whole("data.limit", self.limit, or_null=True)
        object.__setattr__(self, "regimes", tuple(dict.fromkeys(self.regimes)))

    @property
    def folder(self) -> Path:
        """Named for all that its files depend on, so that stale ones are never used."""
        named = "" if self.stream == TEST_STREAM else f"-stream{self.stream}"
        return Path(self.root).expanduser() / f"{generator()}{named}-seed{self.seed}"

    @property
    def split(self) -> str:
        return f"{'test' if self.stream == TEST_STREAM else 'calibration'}, seed {self.seed}"

    def calibration(self, videos: int) -> "CalibrationFlipbook":
        """From a stream of its own, so that no seed of the test split has any of its clips."""
        return CalibrationFlipbook(self.root, videos, self.seed, videos, self.regimes)

    @cached_property
    def clips(self) -> dict[str, Clip]:
        """By id, in the order of `items`."""
        wanted = self.videos if self.limit is None else min(self.videos, ceil(self.limit / len(self.regimes)))
        each = [draw(regime, wanted, self.seed, self.stream) for regime in self.regimes]
        in_turn = [clip for clips in zip(*each, strict=True) for clip in clips]
        return {clip.id: clip for clip in in_turn[: self.limit]}

    def items(self) -> list[VideoItem]:
        """Missing files are written first (about 0.1 s each); several processes may do so at once."""
        missing = [clip for clip in self.clips.values() if not self._path(clip).exists()]
        if missing:
            log.info("flipbook: writing %d clips to %s", len(missing), self.folder)
        try:
            for clip in missing:
                write(clip.scene, self._path(clip))
        except OSError as error:
            raise BadInput(f"data.root: {self.folder} cannot be written ({error.strerror})") from None
        return [self._item(clip) for clip in self.clips.values()]

    def bounds(self, item: VideoItem, indices: Sequence[int]) -> list[ScoreBounds]:
        """Exact ones; `footprint` counts the frames shown inside the shortest event that a question is about."""
        times = tuple(map(int, indices))
        if (item.id, times) not in self._bounds:  # all cells of a sweep share them
            clip = self.clips[item.id]
            self._bounds[item.id, times] = [_bound(clip.scene, question, times) for question in clip.questions]
        return self._bounds[item.id, times]

    def _path(self, clip: Clip) -> Path:
        return self.folder / f"{clip.id}.mp4"

    def _item(self, clip: Clip) -> VideoItem:
        labels = {"regime": clip.scene.regime}
        questions = []
        for index, question in enumerate(clip.questions):
            event = shortest(clip.scene, question)
            duration = {"duration": event.stop - event.start if event else None}  # steps of 1/20 s
            about = (clip.question_id(index), question.kind, question.text, question.options, question.answer)
            reversal = reversal_labels(question.answer, reversed_answer(clip.scene, question))
            questions.append(Question(*about, {**labels, **duration, **reversal, **question.labels}))
        return VideoItem(clip.id, str(self._path(clip)), tuple(questions), labels)


class CalibrationFlipbook(Flipbook):
    """Clips to calibrate on. No option of conf/data leads here: nothing can be scored on them."""

    stream = CALIBRATION_STREAM


def _bound(scene: Scene, question: Asked, times: tuple[int, ...]) -> ScoreBounds:
    event = shortest(scene, question)
    footprint = event.seen(times) if event else None
    guessed = blind(scene, question)
    best = ceiling(scene, question, times) if times else guessed
    return {"ceiling": best, "blind": guessed, "labels": {"footprint": footprint}}
