"""Attention in segments: a query meets the keys of each at other positions (rope_strategy/partition.py), all merged.

The model has rotated queries and keys to where they are kept; here they are turned on to where a segment wants them, in
float32. Of a packed prefix the segment that begins with its first token and whose keys stay as they are kept is read by
the path that kv_quant.decode names, as far as all rows see it; the rest, some w tokens or two chunks, block by block.
Where all rows see all keys as they are kept, whatever these weigh, that path reads the whole prefix.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from intpv.attention.prefix import PrefixLayer, prefix_attention
from intpv.attention.rules import Places
from intpv.attention.softmax import Attended, attend
from intpv.kv_quant.packed import Block, PackedLayer
from intpv.rope_strategy.partition import Partition, Segment

T = TypeVar("T")
Turn = tuple[Tensor, Tensor]  # cos and sin


@dataclass(eq=False)
class Turning:
    """The partition of one context, and by how much a position turns a pair of channels."""

    name: str  # of the strategy
    partition: Partition
    inv_freq: Float[Tensor, " half"]  # rad per token
    was_read: bool = False  # whether any attention has taken place by it

    def parts(self, places: Places, device: torch.device) -> list["Part"]:
        """Made once for all layers of a device: it waits for the device where places lie there."""
        return places.once((id(self), device), lambda: self._parts(places, device))

    def _parts(self, places: Places, device: torch.device) -> list["Part"]:
        rows, keys = places.rows.cpu(), places.keys.cpu()
        counted = self.partition.counted(rows)
        segments = self.partition.segments
        return [Part(self, one, rows, keys, one.first(counted), one.stop(counted), device) for one in segments]


@dataclass(frozen=True, eq=False)
class Part:
    """One segment for the rows that are fed: who sees which keys, and what turns both. All tokens are on the host."""

    turning: Turning
    segment: Segment
    rows: Int[Tensor, " R"]
    own: Int[Tensor, " T"]  # the tokens of the rows' own keys
    first: Int[Tensor, " R"]  # as segments count tokens
    stop: Int[Tensor, " R"]
    device: torch.device
    _made: dict = field(default_factory=dict, repr=False)  # by what it is for, for all layers

    def query(self, q: Float[Tensor, "H R d"]) -> Float[Tensor, "H R d"]:
        """Turned on from where the model rotated it, times the query's own scale."""
        return _turned(q, self.shared("query", self._query))

    def keys(self, k: Float[Tensor, "H_kv t d"], start: int | None = None) -> Float[Tensor, "H_kv t d"]:
        """Of the tokens of the sequence from `start` on; None: the own keys."""
        if not self.segment.exact:
            return k
        return _turned(k, self.shared(("keys", start, k.shape[1]), lambda: self._away(self.tokens(start, k.shape[1]))))

    def turn(self, k: Float[Tensor, "H_kv t d"], tokens: Int[Tensor, " t"]) -> Float[Tensor, "H_kv t d"]:
        """Keys of any tokens to where this segment wants them."""
        return _turned(k, self._away(tokens)) if self.segment.exact else k

    def sees(self, tokens: Int[Tensor, " t"]) -> Bool[Tensor, "R t"]:
        """Which tokens each row sees in this segment, on the host."""
        counted = self.turning.partition.counted(tokens)
        return (counted >= self.first[:, None]) & (counted < self.stop[:, None])

    def seen(self, start: int | None, count: int) -> Bool[Tensor, "R t"] | None:
        """Which of so many tokens from `start` on, or of the own keys, each row sees in this segment; None: none."""

        def made() -> Tensor | None:
            seen = self.sees(self.tokens(start, count))
            return seen.to(self.device) if seen.any() else None

        return self.shared(("seen", start, count), made)

    def tokens(self, start: int | None, count: int) -> Int[Tensor, " t"]:
        """So many from `start` on, or the own keys."""
        return self.own if start is None else torch.arange(start, start + count)

    def weighed(self, found: Attended) -> Attended:
        """Attention to keys of this segment, ready to be merged with that to others."""
        return (found[0], found[1] + self.bias) if self.bias else found

    @property
    def as_kept(self) -> bool:
        """Whether neither queries nor keys are turned on, nor queries scaled."""
        return not self.segment.exact and self.shared("query", self._query) is None

    @property
    def bias(self) -> float:
        """What the segment's weight adds to its logits."""
        return math.log(self.segment.weight)

    def reaches(self, length: int) -> int:
        """How many of a prefix' tokens, from the first on, every row sees in this segment where they are kept."""
        stop = min(int(self.stop.min()), length)
        if self.segment.exact or self.first.any() or stop <= 0:
            return 0
        # among them tokens of other segments, where these count in another order
        return stop if int(self.turning.partition.counted(torch.arange(stop)).max()) < stop else 0

    def reached(self, length: int) -> tuple[int, int]:
        """From which to which of a prefix' tokens any row sees one in this segment."""

        def made() -> tuple[int, int]:
            seen = self.sees(torch.arange(length)).any(0).nonzero()[:, 0]
            return (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)

        return self.shared(("reached", length), made)

    def _query(self) -> Turn | None:
        partition = self.turning.partition
        turn = self._turn(self.segment.query(self.rows) - partition.kept(self.rows), partition.scale is not None)
        if turn is None or partition.scale is None:
            return turn
        scale = partition.scale(self.rows)[:, None].to(self.device, torch.float32)
        return turn[0] * scale, turn[1] * scale

    def _away(self, tokens: Tensor) -> Turn | None:
        return self._turn(tokens - self.turning.partition.kept(tokens))

    def _turn(self, positions: Tensor, always: bool = False) -> Turn | None:
        if not always and not positions.any():
            return None
        # in float64, on the host: what is added to angles of float32 is to add no rounding of its own
        angles = positions.double()[:, None] * self.turning.inv_freq.double()
        return angles.cos().to(self.device, torch.float32), angles.sin().to(self.device, torch.float32)

    def shared(self, name: object, make: Callable[[], T]) -> T:
        """What is made once for all layers."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


def over_prefix(q: Float[Tensor, "H R d"], layer: PrefixLayer, scaling: float, parts: list[Part]) -> Iterator[Attended]:
    """Of each piece of a prefix in each segment; q as the model has rotated it."""
    turned, begin = [part.query(q) for part in parts], 0
    if isinstance(layer, PackedLayer):
        if least := parts[0].shared(("least weight", layer.length), lambda: _least_weight(parts, layer.length)):
            yield from _at_weights(q, layer, scaling, parts, least)
            return
        for part, rows in zip(parts, turned, strict=True):
            if stop := part.reaches(layer.length):
                begin = stop  # of one segment alone: no two have the first token
                found = prefix_attention(rows, layer if stop == layer.length else layer.before(stop), scaling)
                yield part.weighed(found)
    for start, (keys, values) in _pieces(layer, begin):
        for part, rows in zip(parts, turned, strict=True):
            if (mask := part.seen(start, keys.shape[1])) is not None:
                yield part.weighed(attend(rows, part.keys(keys, start), values, scaling, mask))


def _least_weight(parts: list[Part], length: int) -> float:
    """Of a key of the prefix, where every row sees all of it as it is kept; else 0."""
    if not all(part.as_kept for part in parts):
        return 0.0
    tokens = torch.arange(length)
    seen = torch.stack([part.sees(tokens) for part in parts]).any(0)
    return min(part.segment.weight for part in parts) if seen.all() else 0.0


def _at_weights(q: Tensor, layer: PackedLayer, scaling: float, parts: list[Part], least: float) -> Iterator[Attended]:
    """All of a prefix at the least weight, by the path that kv_quant.decode names; what keys weigh beyond it, block by
    block."""
    out, lse = prefix_attention(q, layer, scaling)
    yield out, lse + math.log(least)
    for part in parts:
        more, (first, stop) = part.segment.weight - least, part.reached(layer.length)
        if not more or first == stop:
            continue
        for start, (keys, values) in layer.before(stop).pieces(first):
            if (mask := part.seen(start, keys.shape[1])) is not None:
                out, lse = attend(q, keys, values, scaling, mask)
                yield out, lse + math.log(more)


def _pieces(layer: PrefixLayer, begin: int) -> Iterator[tuple[int, Block]]:
    """Each with the token that it begins at."""
    if isinstance(layer, PackedLayer):
        yield from layer.pieces(begin)
        return
    start = 0
    for keys, values in layer.blocks():
        yield start, (keys, values)
        start += keys.shape[1]


def over_own(
    q: Float[Tensor, "H R d"],
    k: Float[Tensor, "H_kv T d"],
    v: Float[Tensor, "H_kv T d"],
    scaling: float,
    mask: Shaped[Tensor, "R T"] | None,
    parts: list[Part],
) -> Iterator[Attended]:
    """Of the rows' own keys in each segment; `mask` as `attend` takes it, None: all before a row may be seen."""
    for part in parts:
        if (seen := part.seen(None, k.shape[1])) is None:
            continue
        if mask is not None:
            seen = mask & seen if mask.dtype == torch.bool else mask.masked_fill(~seen, -torch.inf)
        yield part.weighed(attend(part.query(q), part.keys(k), v, scaling, seen))


def _turned(x: Float[Tensor, "heads n d"], turn: Turn | None) -> Float[Tensor, "heads n d"]:
    if turn is None:
        return x
    (cos, sin), (first, second) = turn, x.float().chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(x.dtype)
