"""Frame tokens: a video's projected tokens in the order of time, made anew, some frames at a time, when asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class FrameTokens:
    """Of one video: no more of it need be there at once than a rule asks for.

    >>> video = FrameTokens(3, 2, 2, lambda frames: torch.zeros(len(frames), 2, 4))
    >>> [part for part, _ in video.parts(range(3))]
    [range(0, 2), range(2, 3)]
    """

    frames: int  # F
    per_frame: int  # P
    at_once: int  # frames that are made at a time
    make: Callable[[range], Float[Tensor, "n P D"]]  # the tokens of these frames

    @classmethod
    def of(cls, tokens: Float[Tensor, "F P D"], at_once: int | None = None) -> "FrameTokens":
        """Those that are there; None: all at a time."""
        frames, per_frame = tokens.shape[:2]
        return cls(frames, per_frame, at_once or frames, lambda part: tokens[part.start : part.stop])

    def parts(self, frames: range) -> Iterator[tuple[range, Float[Tensor, "n P D"]]]:
        """These frames, `at_once` at a time."""
        for start in range(frames.start, frames.stop, self.at_once):
            part = range(start, min(start + self.at_once, frames.stop))
            yield part, self.make(part)

    def whole(self) -> Float[Tensor, "F P D"]:
        """All at once."""
        return self.make(range(self.frames))


@dataclass(frozen=True, eq=False)
class KeptParts:
    """What is left of a video's tokens, frame by frame; at least one frame must be asked for."""

    of: Callable[[range], Float[Tensor, "kept D"]]  # of these frames, in the order of time
    # per frame, of each token that is left: where in the whole frame it stood; None: as expected, whatever is shown
    places: tuple[tuple[int, ...], ...] | None = None

    @classmethod
    def by_part(
        cls,
        video: FrameTokens,
        rule: Callable[[range, Float[Tensor, "n P D"]], Float[Tensor, "kept D"]],
        places: tuple[tuple[int, ...], ...] | None = None,
    ) -> "KeptParts":
        """Made when asked for, by a rule that needs no other frames than those it is given, and holds nothing."""

        def of(frames: range) -> Tensor:
            made = [rule(part, tokens) for part, tokens in video.parts(frames)]
            return made[0] if len(made) == 1 else torch.cat(made)

        return cls(of, places)

    @classmethod
    def picked(cls, video: FrameTokens, places: tuple[tuple[int, ...], ...]) -> "KeptParts":
        """The tokens at these places."""

        def rule(part: range, tokens: Tensor) -> Tensor:
            chosen = [index * video.per_frame + place for index, frame in enumerate(part) for place in places[frame]]
            return tokens.flatten(0, 1)[torch.tensor(chosen, dtype=torch.long, device=tokens.device)]

        return cls.by_part(video, rule, places)

    @classmethod
    def held(
        cls,
        tokens: Float[Tensor, "kept D"],
        places: tuple[tuple[int, ...], ...] | None,
        expected: Sequence[tuple[int, ...]] = (),
    ) -> "KeptParts":
        """All there; `expected` where `places` is None."""
        ends = [0, *accumulate(map(len, expected if places is None else places))]
        return cls(lambda frames: tokens[ends[frames.start] : ends[frames.stop]], places)
