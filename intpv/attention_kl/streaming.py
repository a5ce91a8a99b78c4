"""Comparison: reference and modified side by side over all keys, one portion of them at a time.

No (R, S) map over all keys and no copy of a whole prefix is ever made: keys are read as views of the prefix' own
blocks, and what stays of a portion is a few numbers per row, head and group of keys.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch import device as Device

from intpv.attention.prefix import PrefixLayer, merge
from intpv.attention.segments import Part
from intpv.attention_kl.divergence import Pair, Tally, beside, chosen, expectation, joined, shares, tally, union, unseen
from intpv.attention_kl.key_groups import FIRST_FRAME, QUESTION, KeyGroups, Stretch
from intpv.errors import BadInput

# Side: one of the two models that are compared, in one layer: its queries and all the keys that they can see.


T = TypeVar("T")
Block = tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]


def logits_at_once(device: Device) -> int:
    """Logits of all heads and rows in one map: what stays in a CPU's cache, 2 MiB; elsewhere each portion costs dozens
    of launches whatever its size, so 256 MiB. Five such maps are alive together (1.25 GiB), in float64 as well.
    """
    return 2**19 if device.type == "cpu" else 2**26


@dataclass(frozen=True)
class Asked:
    """What a layer's attention is given for the rows of all questions: rotated queries, their own keys and values."""

    q: Float[Tensor, "H R d"]
    k: Float[Tensor, "H_kv T d"]
    v: Float[Tensor, "H_kv T d"]
    mask: Bool[Tensor, "R T"]  # True: may see this own key; the prefix is seen by every row
    scaling: float
    parts: Sequence[Part] = ()  # the segments of a strategy that changes attention; without, q and keys are as rotated


@dataclass(frozen=True)
class Side:
    """Queries against a prefix layer and the own keys; logits in float32, or in float64 to judge float32 by."""

    asked: Asked
    prefix: PrefixLayer
    dtype: torch.dtype = torch.float32

    def __post_init__(self):
        if self.asked.q.shape[1] == 0:
            raise BadInput("attention KL needs at least 1 query row, got a question of 0 tokens")

    def blocks(self) -> Iterator[Block]:
        """The prefix' blocks, then the own keys."""
        yield from self.prefix.blocks()
        yield self.asked.k, self.asked.v

    def logits(self, keys: Float[Tensor, "H_kv t d"], start: int = 0, prefix: int = 0) -> Float[Tensor, "H R t"]:
        """q.k * scaling, plus the logarithm of what a key counts for, float32 in the end; heads that share a key head
        are further rows of it, no key is repeated.

        `start` says which the keys are, counted through a prefix of so many and the own keys: segments differ by it.
        """
        if not self.asked.parts:
            return self._product(self.asked.q, keys)
        logits = keys.new_zeros((*self.asked.q.shape[:2], keys.shape[1]), dtype=torch.float32)
        for part in self.asked.parts:
            tokens = (
                part.tokens(start, keys.shape[1]) if start < prefix else part.own[start - prefix :][: keys.shape[1]]
            )
            if (seen := part.sees(tokens)).any():
                found = self._product(part.query(self.asked.q), part.turn(keys, tokens)) + part.bias
                logits = torch.where(seen.to(keys.device), found, logits)
        return logits

    def _product(self, q: Tensor, keys: Tensor) -> Tensor:
        heads, rows, _ = q.shape
        q = (q.to(self.dtype) * self.asked.scaling).reshape(len(keys), -1, keys.shape[2])
        return torch.bmm(q, keys.to(self.dtype).mT).view(heads, rows, -1).float()

    def portions(
        self, groups: KeyGroups, together: bool = True
    ) -> Iterator[tuple[Stretch, Bool[Tensor, "R 1 t"] | None]]:
        """All keys, as many at a time as `logits_at_once` allows, with the part of the mask that is over them. Frames
        of one length come `together`."""
        heads, rows, _ = self.asked.q.shape
        most = max(1, logits_at_once(self.asked.q.device) // (heads * rows))
        for part in groups.portions(self.asked.k.shape[1], most, together):
            own = slice(part.start - groups.length, part.stop - groups.length)
            yield part, self.asked.mask[:, None, own] if part.group == QUESTION else None


# Reader: a stream of blocks, read in portions of any size, so that two streams cut differently can go side by side.


class Reader:
    """Holds one block at a time. `name` is for errors: which model's keys these are."""

    def __init__(self, blocks: Iterator[Block], name: str):
        self._blocks, self._name = blocks, name
        self._left: Block | None = None
        self._read = 0  # tokens

    def take(self, count: int) -> Block:
        """The next `count` >= 1 keys and values: views, copied only where they reach over the end of a block."""
        portions: list[Block] = []
        missing = count
        while missing:
            if self._left is None:
                self._left = next(self._blocks, None)
            if self._left is None:
                raise BadInput(f"the {self._name} ends after {self._read} keys, the other has more")
            keys, values = self._left
            length = min(missing, keys.shape[1])
            portion = keys[:, :length], values[:, :length]
            self._left = (keys[:, length:], values[:, length:]) if length < keys.shape[1] else None
            self._read, missing = self._read + length, missing - length
            # copied before the next block is made: else two whole blocks would be held for a few tokens
            portions.append((portion[0].clone(), portion[1].clone()) if missing else portion)
            del keys, values, portion
        if len(portions) == 1:
            return portions[0]
        return torch.cat([keys for keys, _ in portions], 1), torch.cat([values for _, values in portions], 1)

    def finish(self) -> None:
        """BadInput unless everything was read."""
        if self._left is not None or next(self._blocks, None) is not None:
            raise BadInput(f"the {self._name} goes on after {self._read} keys, where the other ends")


@dataclass(frozen=True)
class Comparison:
    """What one pass over all keys leaves, per row and head."""

    groups: Pair  # (H, R, G)
    error: Float[Tensor, "H R"]  # squared norm of the difference between the two attention outputs
    norm: Float[Tensor, "H R"]  # squared norm of the reference's attention output

    @property
    def all_keys(self) -> Pair:
        """Over prefix and own keys together (H, R)."""
        return joined(self.groups)

    @property
    def video(self) -> Pair | None:
        """Renormalised to the frames' keys, which a sink with most of the mass would hide; None without frames."""
        frames = chosen(self.groups, slice(FIRST_FRAME, None))
        return joined(frames) if frames.gap.shape[-1] else None


def compare(reference: Side, modified: Side, groups: KeyGroups, kept: Bool[Tensor, " S"] | None = None) -> Comparison:
    """One streaming pass. `kept` marks the reference's prefix keys that the modified prefix still holds, in order.

    Own keys are masked by the reference's mask on both sides. BadInput where the sides differ in shapes or in keys.
    """
    shapes = [(tuple(side.asked.q.shape), tuple(side.asked.k.shape)) for side in (reference, modified)]
    if shapes[0] != shapes[1]:
        raise BadInput(f"both sides need the same rows, heads and own keys, got q, k of {shapes[0]} and {shapes[1]}")
    if kept is not None and len(kept) != groups.length:
        raise BadInput(f"kept must mark all {groups.length} keys of the prefix, got {len(kept)}")
    if kept is not None and (reference.asked.parts or modified.asked.parts):
        raise BadInput("a pruned prefix is compared under one rotation of all keys alone, got a strategy's segments")
    ours, theirs = Reader(reference.blocks(), "reference"), Reader(modified.blocks(), "modified model")
    outputs = [_nothing(reference), _nothing(modified)]
    found: dict[int, Pair] = {}
    for part, mask in reference.portions(groups, together=kept is None):
        held = _held(kept, part)
        pair, *outs = _portion(reference, modified, ours, theirs, part, groups.length, mask, held)
        # joined at once: as many tallies as groups are held, not as portions
        before = found.get(part.group)
        found[part.group] = pair if before is None else joined(beside([before, pair]), keepdim=True)
        outputs = [merge(*done, *new) for done, new in zip(outputs, outs, strict=True)]
    ours.finish()
    theirs.finish()
    (right, _), (wrong, _) = outputs
    blank = unseen(outputs[0][1].unsqueeze(-1))
    nothing = Pair(blank, blank, blank.lse, blank.mean_logit)
    every = beside(list(_in_order(found, groups, nothing, lambda pair: pair.gap.shape[-1])))
    return Comparison(every, (right - wrong).square_().sum(-1), right.square().sum(-1))


def _in_order(found: Mapping[int, T], groups: KeyGroups, nothing: T, size: Callable[[T], int]) -> Iterator[T]:
    """What was found of each group or run of groups, by the first one's index; `nothing` of those without keys."""
    group = 0
    while group < groups.count:
        one = found.get(group, nothing)
        yield one
        group += size(one)


def _portion(reference, modified, ours: Reader, theirs: Reader, part: Stretch, prefix: int, mask, held: Tensor | None):
    """The pair of one portion (H, R, groups), and both sides' attention output over it with its lse. `held`: indices
    not pruned."""
    starts = part.starts(reference.asked.q.device)
    keys, own_values = ours.take(part.length)
    s = reference.logits(keys, part.start, prefix).unflatten(-1, (part.groups, -1))
    whole, p = tally(s, starts, mask)
    if held is not None and len(held) == 0:
        blank = unseen(whole.lse)
        return Pair(whole, blank, blank.lse, blank.mean_logit), _output(p, whole.lse, own_values), _nothing(modified)
    kept, q = whole, p
    if held is not None:
        s = s[..., held]
        kept, q = tally(s, 0)
    keys, values = theirs.take(part.length if held is None else len(held))
    t = modified.logits(keys, part.start, prefix).unflatten(-1, (part.groups, -1))
    other, r = tally(t, starts, mask)
    pair = Pair(whole, other, kept.lse, expectation(q, s.sub_(t)))
    if held is not None:  # counted as the reference's keys are
        pair = pair._replace(modified=other._replace(top=held[other.top - part.start] + part.start))
    return pair, _output(p, whole.lse, own_values), _output(r, other.lse, values)


def _held(kept: Bool[Tensor, " S"] | None, part: Stretch) -> Tensor | None:
    """Which keys of a portion the modified model still has; None for all. The own keys are never pruned."""
    if kept is None or part.group == QUESTION:
        return None
    here = kept[part.start : part.stop]
    return None if here.all() else here.nonzero().squeeze(1)


def _output(
    p: Float[Tensor, "H R G t"], lse: Float[Tensor, "H R G"], values: Float[Tensor, "H_kv t_all d"]
) -> tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]:
    """The attention output over all groups of a portion, and its lse. `p`, of each group alone, is used up."""
    heads, rows = lse.shape[:2]
    if lse.shape[2] > 1:
        p.mul_(shares(lse).unsqueeze(-1))
    out = torch.bmm(p.reshape(len(values), -1, values.shape[1]), values.float()).view(heads, rows, -1)
    return out, lse.logsumexp(-1)


def _nothing(side: Side) -> tuple[Tensor, Tensor]:
    """The attention output over no keys, and its lse."""
    heads, rows, _ = side.asked.q.shape
    zeros = side.asked.v.new_zeros((heads, rows, side.asked.v.shape[2]), dtype=torch.float32)
    return zeros, zeros.new_full((heads, rows), -torch.inf)


# Group lse: how much attention one model alone gives to each group of its keys, in one streaming pass.


def group_tallies(side: Side, groups: KeyGroups) -> Tally:
    """The tally (H, R, G) of one model's attention over each group of its keys; one pass."""
    found: dict[int, Tally] = {}
    reader = Reader(side.blocks(), "prefix")
    for part, mask in side.portions(groups):
        keys, _ = reader.take(part.length)
        logits = side.logits(keys, part.start, groups.length).unflatten(-1, (part.groups, -1))
        new, _ = tally(logits, part.starts(logits.device), mask)
        before = found.get(part.group)
        found[part.group] = new if before is None else union(_beside([before, new]), keepdim=True)
    reader.finish()
    nothing = unseen(next(iter(found.values())).lse[..., :1])
    return _beside(list(_in_order(found, groups, nothing, lambda one: one.lse.shape[-1])))


def _beside(tallies: list[Tally]) -> Tally:
    return Tally(*(torch.cat(parts, -1) for parts in zip(*tallies, strict=True)))
