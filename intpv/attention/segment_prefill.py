"""Prefill in segments: attention of a sequence to itself, without an (S, S) map; segments.py says who sees what."""

from bisect import bisect_right
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.attention.dense import causal_attention, fused_attention
from intpv.attention.segments import Part
from intpv.attention.softmax import Attended, merge


def over_sequence(
    q: Float[Tensor, "H S d"],
    k: Float[Tensor, "H_kv S d"],
    v: Float[Tensor, "H_kv S d"],
    scaling: float,
    parts: list[Part],
) -> Attended:
    """Of a whole sequence to itself, as prefill needs it: no (S, S) map is made, and nothing is masked in vain."""
    out = torch.zeros(q.shape, device=q.device), torch.full(q.shape[:2], -torch.inf, device=q.device)
    partition, length = parts[0].turning.partition, q.shape[1]
    if (order := partition.order) is not None:
        if len(order) != length:
            raise ValueError(f"a partition of {len(order)} tokens is for a sequence of as many, got {length}")
        at = order.to(q.device)
        v = v[:, at]
    for part in parts:
        rows_of, keys_of, first, stop = part.query(q), part.keys(k, 0), part.first, part.stop
        if order is not None:
            rows_of, keys_of, first, stop = rows_of[:, at], keys_of[:, at], first[order], stop[order]
        for rows, found in _stretches(rows_of, keys_of, v, scaling, first, stop):
            out[0][:, rows], out[1][:, rows] = merge(out[0][:, rows], out[1][:, rows], *part.weighed(found))
    if order is None:
        return out
    back = partition.counted(torch.arange(length)).to(q.device)
    return out[0][:, back], out[1][:, back]


def _stretches(
    q: Tensor, k: Tensor, v: Tensor, scaling: float, firsts: Tensor, stops: Tensor
) -> Iterator[tuple[slice, Attended]]:
    """Rows, and their attention, in stretches of which both ends of what they see stand still or move on together."""
    for start, stop, grows, slides in _alike(firsts, stops):
        first, last = int(firsts[start]), int(stops[start])
        if blind := max(first - last + 1, 0):  # rows that see nothing as yet
            start, last = (start + blind, last + blind) if grows and not slides else (stop, last)
        if start >= stop:
            continue
        rows = slice(start, stop)
        if slides:
            yield rows, _band(q[:, rows], k[:, first:], v[:, first:], last - first, scaling)
        elif grows:
            yield rows, _staircase(q[:, rows], k[:, first:], v[:, first:], last - first, scaling)
        else:
            yield rows, fused_attention(q[:, rows], k[:, first:last], v[:, first:last], scaling)


def _staircase(q: Tensor, k: Tensor, v: Tensor, seen: int, scaling: float) -> Attended:
    """Row i sees keys 0 ... seen - 1 + i: what all rows see, and a square."""
    before, square = slice(0, seen - 1), slice(seen - 1, seen - 1 + q.shape[1])
    out, lse = causal_attention(q[None], k[None, :, square], v[None, :, square], scaling)
    if seen == 1:
        return out[0], lse[0]
    return merge(out[0], lse[0], *fused_attention(q, k[:, before], v[:, before], scaling))


def _band(q: Tensor, k: Tensor, v: Tensor, width: int, scaling: float) -> Attended:
    """Row i sees keys i ... i + width - 1, two triangles of each block of `width` rows: both causal, one backwards."""
    rows = q.shape[1]
    count = -(-rows // width)

    def blocks(x: Tensor, begin: int) -> Tensor:
        """(count, heads, width, d) from row `begin` on, zeros behind the end: no row that is kept sees those."""
        x = x[:, begin : begin + count * width]
        x = torch.nn.functional.pad(x, (0, 0, 0, count * width - x.shape[1]))
        return x.unflatten(1, (count, width)).transpose(0, 1)

    out, lse = causal_attention(blocks(q, 0).flip(2), blocks(k, 0).flip(2), blocks(v, 0).flip(2), scaling)
    out, lse = out.flip(2), lse.flip(2)
    if width > 1:
        later = blocks(q, 0)[:, :, 1:], blocks(k, width)[:, :, :-1], blocks(v, width)[:, :, :-1]
        both = merge(out[:, :, 1:], lse[:, :, 1:], *causal_attention(*later, scaling))
        out[:, :, 1:], lse[:, :, 1:] = both
    out, lse = (x.transpose(0, 1).flatten(1, 2)[:, :rows] for x in (out, lse))
    return out, lse


def _alike(first: Int[Tensor, " S"], stop: Int[Tensor, " S"]) -> Iterator[tuple[int, int, bool, bool]]:
    """Stretches of rows as (start, stop, grows, slides): `stop` moves on by 1 a row, and so does `first`."""
    steps = torch.stack([first.diff(), stop.diff()], 1)
    changes = (steps[1:] != steps[:-1]).any(1).nonzero()[:, 0] + 1
    ends, start = [*changes.tolist(), len(steps)], 0  # of runs of equal steps
    while start < len(first):
        end, kind = start + 1, [0, 0]
        if end < len(first) and steps[start].tolist() in ([0, 0], [0, 1], [1, 1]):
            end, kind = ends[bisect_right(ends, start)] + 1, steps[start].tolist()
        yield start, end, kind[1] == 1, kind[0] == 1
        start = end
