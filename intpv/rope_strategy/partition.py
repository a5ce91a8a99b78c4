"""Partition: the keys before a query in a few segments, in each of which both are rotated to positions of their own.

RoPE rotates a query at m and a key at k by m and by k, so that a logit depends on m - k. Methods that let it depend on
something else do so by stretches of keys: those near by, those further off. So a prefix keeps its keys rotated to one
position each (`kept`), which serves the segment that is longest; where another one wants its keys elsewhere they are
turned on, for rotations add up. Softmaxes over the segments are merged by their log-sum-exp.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from intpv.errors import BadInput

# of tokens, counted from the start of the sequence (n,), int64 -> (n,)
Places = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Segment:
    """Of a query at token m, the keys first(m) <= k < stop(m), and at which positions both are rotated."""

    first: Places
    stop: Places
    query: Places  # the query's position; may be no whole number
    exact: bool = False  # keys at their own places, k; else at kept(k)


@dataclass(frozen=True)
class Partition:
    """Segments that do not overlap and together are the keys 0 ... m of every query m."""

    kept: Places  # the position that a cached key is rotated to, and a query before it is turned on
    segments: tuple[Segment, ...]
    scale: Places | None = None  # what a query is multiplied by


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


def _start(token: Tensor) -> Tensor:
    return torch.zeros_like(token)


def _behind(token: Tensor) -> Tensor:
    return token + 1
