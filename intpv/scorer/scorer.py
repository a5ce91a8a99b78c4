"""Scorer: a prediction and its question in, a Score out. No model, no state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol, runtime_checkable

from intpv.bounds import shown
from intpv.errors import BadInput
from intpv.record.samples import Sample


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


LIKELIHOODS = ("text", "per_character", "letter")


@dataclass(frozen=True)
class Scorer(ABC):
    """Decides whether a prediction is right; an option of conf/scorer each.

    Beside the prediction the likeliest option is told, by the log-likelihood of its text, of its text over the number
    of its characters (short options are likelier for being short), or of its letter, for prompts that show letters.
    """

    needs_options: ClassVar[bool] = False  # whether an open question can never be right under it

    reads_letters: ClassVar[bool] = False  # whether "B" is an answer where options are shown with letters
    saved_only: ClassVar[bool] = False  # whether it scores saved predictions alone, not a run's as they come
    likelihood: str = "text"  # text | per_character | letter

    def __post_init__(self) -> None:
        if self.likelihood not in LIKELIHOODS:
            raise BadInput(f"scorer.likelihood must be one of {', '.join(LIKELIHOODS)}, got {shown(self.likelihood)}")

    def weighed(self, options: Sequence[str]) -> Sequence[str]:
        """What the model is asked the log-likelihood of, one for each option.

        >>> from intpv.scorer.letters import Letters
        >>> list(Letters(likelihood="letter").weighed(["red", "blue"]))
        ['A', 'B']
        """
        return ascii_uppercase[: len(options)] if self.likelihood == "letter" else options

    def likeliest(self, options: Sequence[str], loglik: Sequence[float]) -> str | None:
        """The option by the log-likelihoods (nats) of what is `weighed`; None without options, the first of equals.

        >>> from intpv.scorer.letters import Letters
        >>> Letters().likeliest(["no", "perhaps"], [-2.0, -3.0])
        'no'
        >>> Letters(likelihood="per_character").likeliest(["no", "perhaps"], [-2.0, -3.0])
        'perhaps'
        """
        if self.likelihood == "per_character":
            loglik = [value / len(option) for value, option in zip(loglik, options, strict=True)]
        return options[max(range(len(loglik)), key=loglik.__getitem__)] if loglik else None

    def scored(self, sample: Sample) -> Mapping[str, Any]:
        """The keys of a saved sample that follow from its prediction, as they are under this scorer."""
        if sample["prediction"] is None:
            return {}
        asked = SimpleNamespace(answer=sample["answer"], options=sample["options"])
        score = self.score(sample["prediction"], asked)
        return {"correct": score.correct, "valid": score.valid}

    @abstractmethod
    def score(self, prediction: str, question: Asked) -> Score:
        """The worth of `prediction`, the text as the model generated it."""
