"""Partition: the keys before a query in a few segments, in each of which both are rotated to positions of their own.

RoPE rotates a query at m and a key at k by m and by k, so that a logit depends on m - k. Methods that let it depend on
something else do so by stretches of keys: those near by, those further off. So a prefix keeps its keys rotated to one
position each (`kept`), which serves the segment that is longest; where another one wants its keys elsewhere they are
turned on, for rotations add up. Softmaxes over the segments are merged by their log-sum-exp, each times its weight.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.errors import BadInput

# of tokens, counted from the start of the sequence (n,), int64 -> (n,)
Places = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Segment:
    """Of a query at token m, the keys first(m) <= k < stop(m), and at which positions both are rotated.

    Where a partition has an order, m and k in `first` and `stop` are counted in it.
    """

    first: Places
    stop: Places
    query: Places  # the query's position; may be no whole number
    exact: bool = False  # keys at their own places, k; else at kept(k)
    weight: float = 1.0  # what each of its keys counts for in the softmax, above 0


@dataclass(frozen=True, eq=False)
class Partition:
    """Segments that do not overlap; together they are the keys that every query m sees, 0 ... m or some of these."""

    kept: Places  # the position that a cached key is rotated to, and a query before it is turned on
    segments: tuple[Segment, ...]
    scale: Places | None = None  # what a query is multiplied by
    order: Int[Tensor, " S"] | None = None  # the prefix' tokens as segments count them; None: as they come

    def counted(self, tokens: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """As which segments count these tokens; what follows the prefix is counted on from there."""
        if self.order is None:
            return tokens
        length = len(self.order)
        return self._ranks[tokens.clamp_max(length)] + (tokens - length).clamp_min(0)

    @cached_property
    def _ranks(self) -> Int[Tensor, " more"]:
        """Of the prefix' tokens and of what follows them; every step of an answer asks."""
        assert self.order is not None
        return torch.cat([self.order.argsort(), torch.tensor([len(self.order)])])

    def pairs(self, length: int) -> int:
        """Queries and keys that see each other in a sequence of so many tokens."""
        counted = self.counted(torch.arange(length))
        return sum(int((one.stop(counted) - one.first(counted)).clamp_min(0).sum()) for one in self.segments)


def near_and_far(near: int, far: Places) -> Partition:
    """Keys less than `near` tokens back at their own distance, all others at near + far(m) - far(near) - far(k).

    >>> import torch
    >>> partition = near_and_far(4, lambda token: token // 2)  # from 4 tokens on, two of them are one step
    >>> near, far = partition.segments
    >>> query, keys = torch.tensor([9]), torch.arange(10)
    >>> (near.query(query) - keys)[near.first(query) : near.stop(query)].tolist()
    [3, 2, 1, 0]
    >>> (far.query(query) - partition.kept(keys))[far.first(query) : far.stop(query)].tolist()
    [6, 6, 5, 5, 4, 4]
    """

    def border(token: Tensor) -> Tensor:
        return (token - near + 1).clamp_min(0)

    return Partition(
        kept=far,
        segments=(
            Segment(border, _behind, lambda token: token, exact=True),
            Segment(_start, border, lambda token: far(token) + near - far(token.new_tensor(near))),
        ),
    )


def chunks(length: int, furthest: int) -> Partition:
    """Keys k at k mod length; a query at m mod length to its own chunk, `length` later to the chunk before, and at the
    latest position, min(2 length - 1, furthest), to all older ones. No position is beyond `furthest`.

    >>> import torch
    >>> own, before, older = chunks(4, 6).segments
    >>> query = torch.tensor([9, 10, 11])  # the third chunk is 8 to 11
    >>> [segment.query(query).tolist() for segment in (own, before, older)]
    [[1, 2, 3], [5, 6, 6], [6, 6, 6]]
    """

    def begin(token: Tensor, back: int) -> Tensor:
        return ((token // length - back) * length).clamp_min(0)

    return Partition(
        kept=lambda token: token % length,
        segments=(
            Segment(lambda token: begin(token, 0), _behind, lambda token: token % length),
            Segment(
                lambda token: begin(token, 1),
                lambda token: begin(token, 0),
                lambda token: (token % length + length).clamp_max(furthest),
            ),
            Segment(
                _start,
                lambda token: begin(token, 1),
                lambda token: token.new_full(token.shape, min(2 * length - 1, furthest)),
            ),
        ),
    )


def log_n(trained_length: int) -> Places:
    """max(1, ln(m + 1) / ln L): a query that sees more keys than in training is multiplied as if by their number.

    >>> import torch
    >>> log_n(16)(torch.tensor([0, 15, 255])).tolist()
    [1.0, 1.0, 2.0]

    BadInput for a trained length of 1, whose logarithm is 0.
    """
    if trained_length < 2:
        raise BadInput(f"log_n needs a trained length of at least 2 tokens, got {trained_length}")
    length = torch.tensor(trained_length, dtype=torch.float64)
    return lambda token: ((token + 1).double().log() / length.log()).clamp_min(1)


def sharpened(scale: Places) -> Partition:
    """One segment, rotated as ever; a query is multiplied by `scale`."""
    return Partition(lambda token: token, (Segment(_start, _behind, lambda token: token),), scale)


def windows(of: Int[Tensor, " S"], count: int, positions: Int[Tensor, " more"], weight: float) -> Partition:
    """Windows that do not see each other. `of` names each token's window, -1 for text before all of them, which every
    token sees, and `count` for text behind, which as the question sees everything: to that a key in a window counts
    for `weight`. `positions` are those of all tokens and of the next one.

    >>> import torch
    >>> of = torch.tensor([-1, 0, 1, 0, 1, 2])  # text, four frames of a token, text
    >>> partition = windows(of, 2, torch.tensor([0, 1, 1, 2, 2, 3, 4]), 0.5)
    >>> partition.order.tolist(), partition.kept(torch.arange(8)).tolist()
    ([0, 1, 3, 2, 4, 5], [0, 1, 1, 2, 2, 3, 4, 5])
    >>> own, text, video = partition.segments
    >>> query = torch.tensor([4, 6])  # the last frame, a question
    >>> [(one.first(query).tolist(), one.stop(query).tolist(), one.weight) for one in (own, text, video)]
    [([3, 5], [5, 7], 1.0), ([0, 0], [1, 1], 1.0), ([1, 1], [1, 5], 0.5)]
    """
    length, order = len(of), of.argsort(stable=True)
    before, behind = int((of < 0).sum()), int((of < count).sum())
    begins = torch.searchsorted(of[order], of[order])  # where each token's window begins
    begins = torch.cat([begins, torch.tensor([behind])])  # and for what follows

    def kept(token: Tensor) -> Tensor:
        return positions[token.clamp_max(length)] + (token - length).clamp_min(0)

    def text(token: Tensor) -> Tensor:
        return torch.where(token < before, 0, before)

    return Partition(
        kept,
        (
            Segment(lambda token: begins[token.clamp_max(length)], _behind, kept),
            Segment(_start, text, kept),
            Segment(
                lambda token: torch.full_like(token, before),
                lambda token: torch.where(token < behind, before, behind),
                kept,
                weight=weight,
            ),
        ),
        order=order,
    )


def _start(token: Tensor) -> Tensor:
    return torch.zeros_like(token)


def _behind(token: Tensor) -> Tensor:
    return token + 1
