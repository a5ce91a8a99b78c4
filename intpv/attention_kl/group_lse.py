"""Group lse: how much attention one model alone gives to each group of its keys, in one streaming pass."""

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.reader import Reader
from intpv.attention_kl.side import Side
from intpv.attention_kl.tally import tally


def group_lse(side: Side, groups: KeyGroups) -> Float[Tensor, "H R G"]:
    """Log-sum-exp of one model's logits over each group of its keys, -inf for a group without keys; one pass."""
    heads, rows, _ = side.asked.q.shape
    found = side.asked.q.new_full((heads, rows, groups.count), -torch.inf, dtype=torch.float32)
    reader = Reader(side.blocks(), "prefix")
    for part, mask in side.portions(groups):
        keys, _ = reader.take(part.length)
        new, _ = tally(side.logits(keys), part.start, mask)
        found[..., part.group] = torch.logaddexp(found[..., part.group], new.lse)
    reader.finish()
    return found
