"""Budget: what every rule that gives the LLM fewer visual tokens offers, and where those that are left stand."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isqrt
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from intpv.bounds import check_whole
from intpv.budget.frame_tokens import FrameTokens, KeptParts
from intpv.errors import BadInput
from intpv.layout import Span

POSITIONS = ("keep", "pack")


@dataclass(frozen=True, eq=False)
class Kept:
    """What is left of a video's tokens, in the order of time."""

    tokens: Float[Tensor, "kept D"]
    # per frame, of each token that is left: where in the whole frame it stood; None: as expected, whatever is shown
    places: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Budget(ABC):
    """Chosen without the question, which comes after the watching: what is dropped is dropped for all of them.

    `positions` keep: a token stays where it would be in the whole video, so that distances in time are those of
    training (arXiv 2603.27650 shows what else is lost); pack: the video is as long as what is left of it.
    """

    positions: str = "keep"  # keep | pack

    def __post_init__(self) -> None:
        if self.positions not in POSITIONS:
            raise BadInput(f"budget.positions must be {' or '.join(POSITIONS)}, got {self.positions}")

    @property
    def tower_side(self) -> int | None:
        """Rows and columns of patches that the tower is shown; None: as many as it was trained on."""
        return None

    @abstractmethod
    def reduce(self, tokens: Float[Tensor, "F P D"], video_id: str) -> Kept:
        """What is left of projected tokens. BadInput for a number of frames or tokens that the rule cannot take."""

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        """As `reduce`, of tokens that need not be there at once: of a rule that is a `PartBudget` they never are."""
        kept = self.reduce(video.whole(), video_id)
        return KeptParts.held(kept.tokens, kept.places, self.expected(video.frames, video.per_frame))

    @abstractmethod
    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        """`reduce`'s places as far as they are known without the video: as many in all, spread over the frames."""

    def span(self, whole: Span, places: tuple[int, ...]) -> Span:
        """A frame's span with the tokens at these places alone. BadInput for a frame with positions on three axes."""
        if whole.grid is not None:
            raise BadInput(
                f"budget={type(self).__module__.rpartition('.')[2]} takes frames with positions on one axis, got a "
                f"grid of {whole.grid[0]} x {whole.grid[1]} (M-RoPE); budget=none leaves it as it is"
            )
        if places == tuple(range(whole.length)):
            return whole
        short = replace(whole, length=len(places))
        return replace(short, places=places, advance=whole.length) if self.positions == "keep" else short


@dataclass(frozen=True, kw_only=True)
class PartBudget(Budget):
    """A rule that looks at some frames at a time, as many times as it takes; `reduce` follows from `reduce_parts`."""

    @abstractmethod
    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        """What is left. BadInput as `reduce` says."""

    def reduce(self, tokens: Float[Tensor, "F P D"], video_id: str) -> Kept:
        kept = self.reduce_parts(FrameTokens.of(tokens), video_id)
        return Kept(kept.of(range(len(tokens))), kept.places)


@dataclass(frozen=True, kw_only=True)
class ShareBudget(PartBudget):
    """A rule that keeps a share of all tokens."""

    whole_frame: ClassVar[str | None] = None  # what it does with a frame that it cannot do without, in words

    keep: float | int = 0.5  # of the video's tokens, above 0 and at most 1
    tokens: int | None = None  # of these at most so many, however long the video is; None is no bound

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("budget.tokens", self.tokens, or_null=True)
        if type(self.keep) not in (float, int) or not 0 < self.keep <= 1:
            raise BadInput(f"budget.keep must be above 0 and at most 1, a share of the video's tokens, got {self.keep}")

    def count(self, frames: int, per_frame: int) -> int:
        """How many tokens are left of F P, at least one. BadInput for less than a frame where the rule needs one."""
        share = max(1, round(self.keep * frames * per_frame))
        count = share if self.tokens is None else min(share, self.tokens)
        if self.whole_frame and count < per_frame:
            given = f"budget.keep={self.keep} of {frames} frames, {count} tokens"
            raise BadInput(
                f"budget={type(self).__module__.rpartition('.')[2]} {self.whole_frame}, {per_frame} tokens, got "
                f"{given if count == share else f'budget.tokens={self.tokens}'}"
            )
        return count

    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        count = self.count(frames, per_frame)
        bounds = [frame * count // frames for frame in range(frames + 1)]
        return [tuple(range(stop - start)) for start, stop in pairwise(bounds)]


def patches(per_frame: int) -> tuple[int, int]:
    """Tokens before a frame's patches (a CLS token or none), and the rows and columns of those; BadInput for others.

    >>> patches(10), patches(576)
    ((1, 3), (0, 24))
    """
    for before in (0, 1):
        if (side := isqrt(per_frame - before)) ** 2 == per_frame - before and side:
            return before, side
    raise BadInput(f"a frame must be a square of patches, with a CLS token or without, got {per_frame} tokens")


def by_frame(chosen: Sequence[int], frames: int, per_frame: int) -> tuple[tuple[int, ...], ...]:
    """Places per frame of tokens counted through the whole video.

    >>> by_frame([1, 2, 5], frames=2, per_frame=3)
    ((1, 2), (2,))
    """
    places: list[list[int]] = [[] for _ in range(frames)]
    for token in sorted(chosen):
        places[token // per_frame].append(token % per_frame)
    return tuple(map(tuple, places))
