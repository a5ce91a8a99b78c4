"""Group lse: how much attention one model alone gives to each group of its keys, in one streaming pass."""

import torch

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.reader import Reader
from intpv.attention_kl.side import Side
from intpv.attention_kl.tally import Tally, tally, union, unseen


def group_tallies(side: Side, groups: KeyGroups) -> Tally:
    """The tally (H, R, G) of one model's attention over each group of its keys; one pass."""
    found: dict[int, Tally] = {}
    reader = Reader(side.blocks(), "prefix")
    for part, mask in side.portions(groups):
        keys, _ = reader.take(part.length)
        new, _ = tally(side.logits(keys), part.start, mask)
        before = found.get(part.group)
        found[part.group] = new if before is None else union(_stacked([before, new]))
    reader.finish()
    nothing = unseen(next(iter(found.values())).lse)
    return _stacked([found.get(group, nothing) for group in range(groups.count)])


def _stacked(tallies: list[Tally]) -> Tally:
    return Tally(*(torch.stack(parts, -1) for parts in zip(*tallies, strict=True)))
