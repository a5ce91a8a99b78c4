"""The independent judge: attention as one dense float64 map, and divergences straight from their definitions."""

from dataclasses import dataclass

import torch

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.streaming import Asked, Side
from intpv.layout import Layout, Span


class Pieces:
    """A prefix layer cut into given lengths."""

    def __init__(self, k, v, lengths):
        self.k, self.v, self.lengths = k, v, lengths

    def blocks(self):
        yield from zip(self.k.split(self.lengths, 1), self.v.split(self.lengths, 1), strict=True)


@dataclass(frozen=True)
class Case:
    """Two sides of one layer, and what is needed to know their attention densely."""

    reference: Side
    modified: Side
    groups: KeyGroups

    def probabilities(self, side):
        """(H, R, S + T) float64."""
        return self.logits(side).softmax(-1).nan_to_num(0.0)

    def logits(self, side):
        asked, keys = side.asked, torch.cat([side.prefix.k, side.asked.k], 1).double()
        keys = keys.repeat_interleave(len(asked.q) // len(keys), 0)
        mask = torch.cat([asked.mask.new_ones(len(asked.mask), side.prefix.k.shape[1]), asked.mask], 1)
        return (asked.q.double() @ keys.mT * asked.scaling).masked_fill(~mask, -torch.inf)

    def output(self, side):
        values = torch.cat([side.prefix.v, side.asked.v], 1).double()
        return self.probabilities(side) @ values.repeat_interleave(len(side.asked.q) // len(values), 0)

    def group_of_keys(self, own):
        """(S + T,) group of every key."""
        return torch.cat([torch.full((p.length,), p.group) for p in self.groups.portions(own, 10**9, together=False)])


def kl(p, r):
    """sum p ln(p / r) over keys with p > 0."""
    terms = p * (p.log() - r.log())
    return terms.masked_fill(p == 0, 0).sum(-1)


def entropy(p):
    return -(p * p.log()).masked_fill(p == 0, 0).sum(-1)


def layout(text=7, frames=3, per_frame=5, after=2, spacing=1.0):
    return Layout((Span(text), *(Span(per_frame, i * spacing) for i in range(frames)), Span(after)))


def cut(generator, length):
    """Random positive lengths that add up."""
    lengths = []
    while sum(lengths) < length:
        left = length - sum(lengths)
        lengths.append(int(torch.randint(1, left + 1, (), generator=generator)))
    return lengths


def case(seed=0, *, heads=4, kv_heads=2, rows=5, own=5, d=16, spread=1.0, change=0.3, shape=None, masked_rows=0):
    """Random queries and keys; the modified keys, values and queries are the reference's, changed a little.

    `masked_rows` rows see no own key; the others see each with a chance of a half, and themselves.
    """
    g = torch.Generator().manual_seed(seed)
    shape = shape or layout()
    length = shape.length

    def draw(*size):
        return torch.randn(*size, generator=g)

    q, k, v = spread * draw(heads, rows, d), draw(kv_heads, length, d), draw(kv_heads, length, d)
    own_k, own_v = draw(kv_heads, own, d), draw(kv_heads, own, d)
    mask = torch.rand(rows, own, generator=g) < 0.5
    mask[torch.arange(min(rows, own)), torch.arange(min(rows, own))] = True
    mask[:masked_rows] = False

    def changed(x):
        return x + change * draw(*x.shape)

    sides = []
    for alter in (lambda x: x, changed):
        asked = Asked(alter(q), alter(own_k), alter(own_v), mask, d**-0.5)
        sides.append(Side(asked, Pieces(alter(k), alter(v), cut(g, length))))
    return Case(*sides, KeyGroups.of(shape))
