"""Softmax attention to one set of keys, and the merge of two, in float32.

Softmax over the union of two sets of keys is the mean of the softmaxes over each, weighted by exp(lse) (Milakov and
Gimelshein, arXiv 1805.02867). So the prefix, its pieces and the questions' own keys are attended to one by one and
nothing is concatenated.
"""

from collections.abc import Iterable
from functools import reduce

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

Attended = tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]  # out and lse, float32


def attend(
    q: Float[Tensor, "H R d"],
    k: Float[Tensor, "H_kv t d"],
    v: Float[Tensor, "H_kv t d"],
    scaling: float,
    mask: Shaped[Tensor, "R t"] | None = None,
    softcap: float | None = None,
) -> tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]:
    """Softmax attention over one block -> out and lse, float32.

    `mask` is boolean (True: may see) or added to the logits, the same for every head; with `softcap` c the logits are
    c tanh(logits / c) before it (Gemma 2, arXiv 2408.00118). A row that sees nothing gets out 0 and lse -inf, not NaN.
    """
    heads, rows = q.shape[:2]
    # the H / H_kv heads that share a key head become further rows of it: keys and values are not repeated
    q = (q.float() * scaling).reshape(k.shape[0], -1, q.shape[2])
    scores = torch.bmm(q, k.float().mT)
    if softcap is not None:
        scores.div_(softcap).tanh_().mul_(softcap)
    if mask is not None:
        per_head = scores.view(heads, rows, -1)
        per_head.masked_fill_(~mask, -torch.inf) if mask.dtype == torch.bool else per_head.add_(mask)
    # the lowest float stands in for -inf, since -inf - (-inf) is NaN
    peak = scores.amax(-1, keepdim=True).clamp_min_(torch.finfo(scores.dtype).min)
    weights = scores.sub_(peak).exp_()
    total = weights.sum(-1, keepdim=True)  # at least 1, the peak's own, or 0 if the row sees nothing
    out = torch.bmm(weights, v.float()) / total.clamp_min(1)
    return out.view(heads, rows, -1), (peak + total.log()).view(heads, rows)


def merged(parts: Iterable[Attended]) -> Attended:
    """`merge` of all parts, one after the other."""
    return reduce(lambda done, new: merge(*done, *new), parts)


def merge(
    out_a: Float[Tensor, "*rows d"],
    lse_a: Float[Tensor, "*rows"],
    out_b: Float[Tensor, "*rows d"],
    lse_b: Float[Tensor, "*rows"],
) -> tuple[Float[Tensor, "*rows d"], Float[Tensor, "*rows"]]:
    """Attention over the union of two disjoint sets of keys, from the attention over each."""
    # b's share is exp(lse_b) / (exp(lse_a) + exp(lse_b)); where both are -inf both outs are 0 and any share will do
    share = torch.sigmoid(lse_b - lse_a).nan_to_num_(0.0)
    return torch.lerp(out_a, out_b, share.unsqueeze(-1)), torch.logaddexp(lse_a, lse_b)
