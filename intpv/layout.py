"""Layout: which tokens of a sequence are text, which belong to which frame, and where the question starts."""

from dataclasses import dataclass, field, replace
from functools import cached_property

AXES = ("temporal", "height", "width")  # of M-RoPE, in the order of its positions


@dataclass(frozen=True)
class Span:
    """A run of tokens of one kind: `time` is None for text, the frame's timestamp in seconds for a frame.

    With M-RoPE a frame is a grid of tokens whose positions are counted from where the sequence stands: temporal
    `late`, height the row, width the column. After it the sequence stands `advance` further on, which may be 0.
    """

    length: int  # tokens
    time: float | None = None  # seconds
    grid: tuple[int, int] | None = None  # rows and columns of a frame's tokens; None: positions of one axis
    late: int = 0  # temporal positions behind where the sequence stands
    advance: int | None = None  # positions, all axes alike; None is `length`
    places: tuple[int, ...] | None = None  # of a frame's tokens among those of a whole frame; None: one after another

    @property
    def is_frame(self) -> bool:
        return self.time is not None


@dataclass(frozen=True)
class Layout:
    """The spans of a sequence in order. `question_start` is None while there is no question (the prefix alone)."""

    spans: tuple[Span, ...] = field(default=())
    question_start: int | None = None  # index of the question's first token

    @cached_property
    def length(self) -> int:
        """S, tokens; every layer asks at every step of an answer."""
        return sum(span.length for span in self.spans)

    @property
    def visual_length(self) -> int:
        """V = F * P, tokens that belong to frames."""
        return sum(span.length for span in self.spans if span.is_frame)

    @property
    def has_grids(self) -> bool:
        """Whether positions have three axes."""
        return any(span.grid is not None for span in self.spans)

    @property
    def growing_axes(self) -> tuple[str, ...]:
        """The axes whose positions reach further when more frames come; the one there is without grids.

        Frames that share their place are told apart by the temporal axis alone. Where the sequence moves on between
        frames, every axis moves with it.
        """
        frames = [span for span in self.spans if span.is_frame]
        moves = any(span.advance != 0 for span in frames[:-1])
        return AXES if moves or not self.has_grids else AXES[:1]

    @property
    def prefix(self) -> "Layout":
        """Without the question, if there is one."""
        return self if self.question_start is None else Layout(self.spans[:-1])

    def ask(self, length: int) -> "Layout":
        """The same prefix followed by a question (and answer) of `length` text tokens."""
        return replace(self, spans=(*self.spans, Span(length)), question_start=self.length)
