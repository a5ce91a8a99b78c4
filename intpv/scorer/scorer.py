"""Scorer: a prediction and its question in, a Score out. No model, no state."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable


@dataclass(frozen=True)
class Score:
    """What one prediction is worth: right or wrong, and whether it is an answer at all."""

    correct: bool
    valid: bool  # whether the prediction is an answer to this question at all, right or wrong


@runtime_checkable
class Asked(Protocol):
    """All a scorer reads of a question: any benchmark's question has these."""

    @property
    def answer(self) -> str: ...

    @property
    def options(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Scorer(ABC):
    """Decides whether a prediction is right; an option of conf/scorer each."""

    needs_options: ClassVar[bool] = False  # whether an open question can never be right under it

    @abstractmethod
    def score(self, prediction: str, question: Asked) -> Score:
        """The worth of `prediction`, the text as the model generated it."""
