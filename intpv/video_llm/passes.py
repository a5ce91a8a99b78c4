"""Passes: how much of a video goes through tower and decoder at once, and when what was read is packed."""

from dataclasses import dataclass

from intpv.bounds import check_whole, shown
from intpv.errors import BadInput

PACK = ("late", "early")


@dataclass(frozen=True)
class Passes:
    """Activations of what is read at once take memory, those of a pass whatever the video's length.

    Groups that span the whole video, as strided ones do, need all frames before the first pass, and the decoder, which
    reads in the order of time, the tower's output of all groups. Both wait where the frames are, on the host in a run:
    frames fitted to the tower's size and as bytes, features as wide as the tower; what they take of a pass goes to the
    device, and is projected, when its turn comes. A budget looks at them so too, before the first pass: what stays of
    that is a number for each token, by which it chooses, or what it has merged. A decoder's pass attends to the keys
    and values of those before it: in full precision until all are read (late), which is one pass up to rounding, or as
    they are packed (early), which bounds the memory and gives other numbers where codes are not exact.
    """

    tower_frames: int | None = None  # None is all
    prefill_tokens: int | None = None  # None is all
    pack: str = "late"  # late | early

    def __post_init__(self) -> None:
        for name in ("tower_frames", "prefill_tokens"):
            check_whole(f"passes.{name}", getattr(self, name), or_null=True)
        if self.pack not in PACK:
            raise BadInput(f"passes.pack must be {' or '.join(PACK)}, got {self.pack}")
        if self.pack == "early" and self.prefill_tokens is None:
            given = shown(self.prefill_tokens)
            raise BadInput(f"passes.pack=early packs after every pass of a prefill, got passes.prefill_tokens={given}")

    def groups(self, each: int, groups: int) -> int:
        """How many of a video's groups, of `each` frames, go through the tower at once. BadInput where a pass would cut
        one."""
        if self.tower_frames is None:
            return groups
        if self.tower_frames % each:
            raise BadInput(f"passes.tower_frames must be a multiple of {each}, a group, got {self.tower_frames}")
        return self.tower_frames // each

    def projected(self, slots: int, per_slot: int, frames_per_slot: int = 1) -> int:
        """Of how many of a video's slots, of so many tokens, the tower's output is projected at once: as many as a pass
        of the decoder can have tokens of, or else those of a pass of the tower."""
        if self.prefill_tokens is not None:
            return (self.prefill_tokens + per_slot - 2) // per_slot + 1
        return slots if self.tower_frames is None else max(self.tower_frames // frames_per_slot, 1)

    def runs(self, tokens: int) -> list[range]:
        """A prefix's tokens, pass by pass."""
        step = self.prefill_tokens or tokens
        return [range(start, min(start + step, tokens)) for start in range(0, tokens, step)]
