"""Passes: how much of a video goes through tower and decoder at once; the results are the same up to rounding."""

from dataclasses import dataclass

from intpv.bounds import check_whole
from intpv.errors import BadInput


@dataclass(frozen=True)
class Passes:
    """Activations of what is read at once take memory; frames and tokens of all passes are kept, small as they are.

    Groups that span the whole video, as strided ones do, need all frames before the first pass: fitted to the tower's
    size and as bytes they take 8 to 20 times less than its activations. A decoder's pass attends to the keys and
    values of those before it.
    """

    tower_frames: int | None = None  # None is all
    prefill_tokens: int | None = None  # None is all

    def __post_init__(self) -> None:
        for name in ("tower_frames", "prefill_tokens"):
            check_whole(f"passes.{name}", getattr(self, name), or_null=True)

    def groups(self, each: int, groups: int) -> int:
        """How many of a video's groups, of `each` frames, go through the tower at once. BadInput where a pass would cut
        one."""
        if self.tower_frames is None:
            return groups
        if self.tower_frames % each:
            raise BadInput(f"passes.tower_frames must be a multiple of {each}, a group, got {self.tower_frames}")
        return self.tower_frames // each

    def runs(self, tokens: int) -> list[range]:
        """A prefix's tokens, pass by pass."""
        step = self.prefill_tokens or tokens
        return [range(start, min(start + step, tokens)) for start in range(0, tokens, step)]
