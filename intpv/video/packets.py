"""Packets: a stream's frames in the order of display and where decoding may start, known without decoding."""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

# codecs whose every packet is exactly one displayed frame; VP8, for one, has packets that show nothing
ONE_FRAME_PER_PACKET = frozenset({"h264", "hevc", "vp9", "av1"})
SHORT = 600  # frames: a clip this short is decoded whole, which needs no trust in its packets


@dataclass(frozen=True)
class Packet:
    """What the container says of one packet; times are in ticks of the stream's time base."""

    pts: int | None
    dts: int | None
    is_key: bool


@dataclass(frozen=True)
class Run:
    """Decode from one keyframe until the last of `targets` (display indices, ascending) has come out."""

    key: Packet
    targets: tuple[int, ...]
    cost: int  # packets from the keyframe to the last target


@dataclass(frozen=True)
class PacketIndex:
    """A stream's packets in file order. `regular` is False where packets cannot stand for displayed frames."""

    packets: tuple[Packet, ...]
    regular: bool

    @cached_property
    def times(self) -> list[int]:
        """Display times in ascending order; a frame's index is its place in this list."""
        return sorted(packet.pts for packet in self.packets if packet.pts is not None)

    def seconds(self, time_base: Fraction) -> list[float] | None:
        """Each frame's time after the first; None where a packet has none of its own."""
        if len(self.times) < len(self.packets):
            return None
        return [float((time - self.times[0]) * time_base) for time in self.times]

    @property
    def can_seek(self) -> bool:
        """Whether index -> display time is certain: one distinct time per packet, and the file starts with a key."""
        times, first = self.times, self.packets[0]
        return self.regular and len(set(times)) == len(self.packets) and first.is_key and first.pts == times[0]

    def plan(self, targets: list[int]) -> list[Run]:
        """Split ascending display indices into runs, each from the last keyframe shown no later than its targets.

        Frames shown after a keyframe never need what came before it; those shown before it may (open GOP), which
        is why the keyframe is chosen by display time and not by its place in the file.
        """
        place = {packet.pts: position for position, packet in enumerate(self.packets)}
        keys = sorted(packet.pts for packet in self.packets if packet.is_key)
        runs: list[Run] = []
        start = reached = -1  # places in the file: where the current run starts, how far it has to go
        for target in targets:
            time = self.times[target]
            key = place[keys[bisect_right(keys, time) - 1]]
            if runs and key <= reached + 1:  # going on is no dearer than seeking
                earlier = runs.pop().targets
            else:
                earlier, start, reached = (), key, -1
            reached = max(reached, place[time])
            runs.append(Run(self.packets[start], (*earlier, target), reached - start + 1))
        return runs

    def prefers_order(self, runs: list[Run]) -> bool:
        """Whether to decode everything: short clips, or runs that cover half of the file anyway."""
        return len(self.packets) <= SHORT or 2 * sum(run.cost for run in runs) >= len(self.packets)
