"""The test split: clips from seeds that training never uses, answers balanced within each kind and regime."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np

from intpv.cache.hashing import file_hash, key

from .question import Question, draw_questions
from .scene import REGIMES, TEST_STREAM, Scene, draw_scene

CANDIDATES = 60  # scenes drawn per clip, of which one is kept


@dataclass(frozen=True)
class Clip:
    """A test video before it is rendered."""

    id: str  # slow-017
    scene: Scene
    questions: tuple[Question, ...]  # ten

    def question_id(self, index: int) -> str:
        """slow-017/3-presence: the same for every number of frames."""
        return f"{self.id}/{index}-{self.questions[index].kind}"


def draw(regime: str, number: int, seed: int, stream: int = TEST_STREAM) -> list[Clip]:
    """The first `number` clips of a regime; a longer split starts with the same clips, another stream shares none.

    Of each clip's candidates the one is kept whose answers have been rarest so far. The choice looks at answers alone
    and favours every one of them in turn, so that over the split P(answer | question) is the generator's, and with it
    P(answer | frames, question): an exact observer's hits stay within noise of the ceiling (tests/flipbook).
    """
    clips: list[Clip] = []
    tallies: dict[str, Counter[str]] = {}
    for index in range(number):
        candidates = [_candidate(regime, (stream, seed), index, attempt) for attempt in range(CANDIDATES)]
        scene, questions = min(candidates, key=lambda candidate: _excess(candidate[1], tallies))
        for question in questions:
            tallies.setdefault(_theme(question), Counter())[question.answer] += 1
        clips.append(Clip(f"{regime}-{index:03d}", scene, tuple(questions)))
    return clips


def _candidate(regime: str, split: tuple[int, int], index: int, attempt: int) -> tuple[Scene, list[Question]]:
    rng = np.random.default_rng([*split, list(REGIMES).index(regime), index, attempt])
    scene = draw_scene(rng, REGIMES[regime])
    return scene, draw_questions(rng, scene)


def _theme(question: Question) -> str:
    """What is balanced: corners change one eighth after a flash can be, so they are a theme of their own."""
    return "when corners" if question.about == ("corners",) else question.kind


def _excess(questions: list[Question], tallies: dict[str, Counter[str]]) -> float:
    """How far these answers are ahead of the mean answer of their theme, in units of that mean's share."""
    excess = 0.0
    for question in questions:
        tally = tallies.get(_theme(question), Counter())
        excess += len(question.options) * tally[question.answer] - tally.total()
    return excess


@cache
def generator() -> str:
    """Twelve hex digits for the code that shapes videos and questions, and for the library that encodes them: whoever
    changes a clip need not think of those that were written before."""
    files = (Path(__file__).with_name(f"{name}.py") for name in ("question", "render", "scene", "split"))
    return key("flipbook", av=av.__version__, code=[file_hash(file) for file in files])[:12]
