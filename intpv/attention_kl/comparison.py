"""Comparison: reference and modified side by side over all keys, one portion of them at a time.

No (R, S) map over all keys and no copy of a whole prefix is ever made: keys are read as views of the prefix' own
blocks, and what stays of a portion is a few numbers per row, head and group of keys.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from intpv.attention.prefix import merge
from intpv.attention_kl.key_groups import FIRST_FRAME, QUESTION, KeyGroups, Stretch
from intpv.attention_kl.pair import Pair, chosen, joined, stacked
from intpv.attention_kl.reader import Reader
from intpv.attention_kl.side import Side
from intpv.attention_kl.tally import expectation, tally, unseen
from intpv.errors import BadInput


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
    ours, theirs = Reader(reference.blocks(), "reference"), Reader(modified.blocks(), "modified model")
    outputs = [_nothing(reference), _nothing(modified)]
    found: dict[int, Pair] = {}
    for part, mask in reference.portions(groups):
        held = _held(kept, part)
        pair, *outs = _portion(reference, modified, ours, theirs, part, mask, held)
        # joined at once: as many tallies as groups are held, not as portions
        before = found.get(part.group)
        found[part.group] = pair if before is None else joined(stacked([before, pair]))
        outputs = [merge(*done, *new) for done, new in zip(outputs, outs, strict=True)]
    ours.finish()
    theirs.finish()
    (right, _), (wrong, _) = outputs
    blank = unseen(outputs[0][1])
    nothing = Pair(blank, blank, blank.lse, blank.mean_logit)
    every = stacked([found.get(group, nothing) for group in range(groups.count)])
    return Comparison(every, (right - wrong).square_().sum(-1), right.square().sum(-1))


def _portion(reference, modified, ours: Reader, theirs: Reader, part: Stretch, mask, held: Tensor | None):
    """The pair of one portion, and both sides' attention output over it with its lse. `held`: indices not pruned."""
    keys, values = ours.take(part.length)
    s = reference.logits(keys)
    whole, p = tally(s, part.start, mask)
    right = _output(p, values), whole.lse
    if held is not None and len(held) == 0:
        blank = unseen(whole.lse)
        return Pair(whole, blank, blank.lse, blank.mean_logit), right, _nothing(modified)
    kept = whole
    if held is not None:
        s = s[..., held]
        kept, p = tally(s, 0)
    keys, values = theirs.take(part.length if held is None else len(held))
    t = modified.logits(keys)
    other, r = tally(t, part.start, mask)
    wrong = _output(r, values), other.lse
    if held is not None:
        other = other._replace(top=held[other.top - part.start] + part.start)  # counted as the reference's keys are
    return Pair(whole, other, kept.lse, expectation(p, s.sub_(t))), right, wrong


def _held(kept: Bool[Tensor, " S"] | None, part: Stretch) -> Tensor | None:
    """Which keys of a portion the modified model still has; None for all. The own keys are never pruned."""
    if kept is None or part.group == QUESTION:
        return None
    here = kept[part.start : part.stop]
    return None if here.all() else here.nonzero().squeeze(1)


def _output(p: Float[Tensor, "H R t"], values: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H R d"]:
    heads, rows, tokens = p.shape
    return torch.bmm(p.view(len(values), -1, tokens), values.float()).view(heads, rows, -1)


def _nothing(side: Side) -> tuple[Tensor, Tensor]:
    """The attention output over no keys, and its lse."""
    heads, rows, _ = side.asked.q.shape
    zeros = side.asked.v.new_zeros((heads, rows, side.asked.v.shape[2]), dtype=torch.float32)
    return zeros, zeros.new_full((heads, rows), -torch.inf)
