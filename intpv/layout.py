"""Layout: which tokens of a sequence are text, which belong to which frame, and where the question starts."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Span:
    """A run of tokens of one kind: `time` is None for text, the frame's timestamp in seconds for a frame."""

    length: int  # tokens
    time: float | None = None  # seconds

    @property
    def is_frame(self) -> bool:
        return self.time is not None


@dataclass(frozen=True)
class Layout:
    """The spans of a sequence in order. `question_start` is None while there is no question (the prefix alone)."""

    spans: tuple[Span, ...] = field(default=())
    question_start: int | None = None  # index of the question's first token

    @property
    def length(self) -> int:
        """S, tokens."""
        return sum(span.length for span in self.spans)

    @property
    def visual_length(self) -> int:
        """V = F * P, tokens that belong to frames."""
        return sum(span.length for span in self.spans if span.is_frame)

    def ask(self, length: int) -> "Layout":
        """The same prefix followed by a question (and answer) of `length` text tokens."""
        return replace(self, spans=(*self.spans, Span(length)), question_start=self.length)
