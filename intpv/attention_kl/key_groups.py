"""Key groups: to which of sink, text, question and frames each key belongs, as consecutive stretches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from intpv.errors import BadInput
from intpv.layout import Layout

KINDS = ("sink", "text", "question")  # the groups before the frames, in this order
SINK, TEXT, QUESTION = range(len(KINDS))
FIRST_FRAME = len(KINDS)


@dataclass(frozen=True)
class Stretch:
    """Consecutive keys of one group."""

    start: int
    stop: int
    group: int

    @property
    def length(self) -> int:
        return self.stop - self.start


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
        times = tuple(span.time for span in layout.spans if span.is_frame)
        return cls(tuple(one for one in stretches if one.start < one.stop), times)

    def before(self, length: int) -> "KeyGroups":
        """The same groups of the prefix' first `length` tokens alone; later frames are groups without keys."""
        cut = (replace(one, stop=min(one.stop, length)) for one in self.stretches if one.start < length)
        return replace(self, stretches=tuple(cut))

    @property
    def length(self) -> int:
        """S, tokens of the prefix."""
        return self.stretches[-1].stop if self.stretches else 0

    @property
    def count(self) -> int:
        """G."""
        return FIRST_FRAME + len(self.times)

    def portions(self, own_length: int, most: int) -> Iterator[Stretch]:
        """The prefix and `own_length` own keys after it, in stretches of one group and at most `most` keys each."""
        for one in (*self.stretches, Stretch(self.length, self.length + own_length, QUESTION)):
            for start in range(one.start, one.stop, most):
                yield Stretch(start, min(start + most, one.stop), one.group)
