"""Key groups: to which of sink, text, question and frames each key belongs, as consecutive stretches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import Layout

KINDS = ("sink", "text", "question")  # the groups before the frames, in this order
SINK, TEXT, QUESTION = range(len(KINDS))
FIRST_FRAME = len(KINDS)


@dataclass(frozen=True)
class Stretch:
    """Consecutive keys of one group, or of `groups` that follow each other, equally many of each."""

    start: int
    stop: int
    group: int  # the first
    groups: int = 1

    @property
    def length(self) -> int:
        return self.stop - self.start

    def starts(self, device: torch.device) -> Int[Tensor, " groups"]:
        """Of each group, its first key."""
        return self.start + self.length // self.groups * torch.arange(self.groups, device=device)


@dataclass(frozen=True)
class KeyGroups:
    """The groups of a prefix: 0 sink, 1 text, 2 the question's own keys, then one per frame (G = 3 + F)."""

    stretches: tuple[Stretch, ...]  # of the prefix, in its order and without a gap
    times: tuple[float, ...]  # seconds, one per frame

    @classmethod
    def of(cls, layout: Layout, sinks: int = 4) -> "KeyGroups":
        """The groups of a prefix' layout; its first `sinks` tokens are the sink, whatever else they are.

        BadInput for a layout that already holds a question: its keys are not part of the prefix.
        """
        if layout.question_start is not None:
            raise BadInput(f"key groups are those of a prefix, got a layout with a question at {layout.question_start}")
        sinks = min(sinks, layout.length)
        stretches, start, frame = [Stretch(0, sinks, SINK)], 0, FIRST_FRAME
        for span in layout.spans:
            stop = start + span.length
            stretches.append(Stretch(max(start, sinks), stop, frame if span.is_frame else TEXT))
            start, frame = stop, frame + span.is_frame
        times = tuple(span.time for span in layout.spans if span.time is not None)
        return cls(tuple(one for one in stretches if one.start < one.stop), times)

    def before(self, length: int) -> "KeyGroups":
        """The same groups of the prefix' first `length` tokens alone; later frames are groups without keys."""
        cut = (replace(one, stop=min(one.stop, length)) for one in self.stretches if one.start < length)
        return replace(self, stretches=tuple(cut))

    def of_kept(self, kept: Bool[Tensor, " S"]) -> "KeyGroups":
        """The same groups of a prefix that is left these tokens; a frame that has lost all is a group without keys."""
        before = [0, *kept.cumsum(0).tolist()]
        left = (replace(one, start=before[one.start], stop=before[one.stop]) for one in self.stretches)
        return replace(self, stretches=tuple(one for one in left if one.length))

    @property
    def length(self) -> int:
        """S, tokens of the prefix."""
        return self.stretches[-1].stop if self.stretches else 0

    @property
    def count(self) -> int:
        """G."""
        return FIRST_FRAME + len(self.times)

    def portions(self, own_length: int, most: int, together: bool = True) -> Iterator[Stretch]:
        """The prefix and `own_length` own keys after it, in stretches of at most `most` keys each: whole frames of one
        length `together`, for what a step costs hardly depends on its size; all else group by group."""
        run: Stretch | None = None
        for one in (*self.stretches, Stretch(self.length, self.length + own_length, QUESTION)):
            if together and run and _goes_on(run, one) and run.length + one.length <= most:
                run = replace(run, stop=one.stop, groups=run.groups + 1)
                continue
            if run:
                yield run
            run = one if one.length <= most else None
            for start in () if run else range(one.start, one.stop, most):
                yield Stretch(start, min(start + most, one.stop), one.group)
        if run:
            yield run


def _goes_on(run: Stretch, one: Stretch) -> bool:
    """Whether a stretch is the next frame after a run of frames, and as long as each of them."""
    follows = run.group >= FIRST_FRAME and one.group == run.group + run.groups and one.start == run.stop
    return follows and one.length * run.groups == run.length


# Time bins: frames of two models that saw different numbers of them, matched by timestamp.


Bins = Int[Tensor, "_"]


def time_bins(reference: Sequence[float], modified: Sequence[float]) -> tuple[Bins, Bins, int]:
    """The bin of each frame of both models, matched by timestamp (seconds), and how many bins there are.

    A bin is what lies nearest to one instant of the model that saw fewer: 8 against 32 frames, both in the middle of
    equal parts, gives 8 bins of 4. Other sampling gives bins of unlike size, which even attention would fill unlike.
    """
    if not reference or not modified:
        raise BadInput(f"time bins need frames on both sides, got {len(reference)} and {len(modified)}")
    sides = [torch.tensor(times, dtype=torch.float64) for times in (reference, modified)]
    centres = min((times.unique() for times in sides), key=len)
    ours, theirs = ((times[:, None] - centres).abs().argmin(1) for times in sides)
    return ours, theirs, len(centres)


def binned(lse: Float[Tensor, "H R G"], bins: Int[Tensor, " F"], count: int) -> Float[Tensor, "H R bins_and_kinds"]:
    """Frames put together into `count` bins of time; sink, text and question stay."""
    frames = lse[..., FIRST_FRAME:]
    together = [frames[..., bins == one].logsumexp(-1) for one in range(count)]
    return torch.cat([lse[..., :FIRST_FRAME], torch.stack(together, -1)], -1)
