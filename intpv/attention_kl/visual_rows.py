"""Visual rows: a seeded sample of the video's own tokens as query rows, each after the part of the prefix before it.

A token fed again at its place, on the keys that it saw in prefill, has the hidden states that it had there; on
quantised keys it has those of a model that reads its own quantised prefix while it watches. One row is read at a time:
each sees another length of prefix, and no map over all of them is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.attention.interface import Prefix
from intpv.attention.prefix import PrefixLayer
from intpv.attention_kl.head_sums import HeadSums
from intpv.attention_kl.passes import end_to_end, local
from intpv.attention_kl.side import Block
from intpv.attention_kl.subject import Subject
from intpv.errors import BadInput
from intpv.layout import Layout


@dataclass(frozen=True)
class BeginningLayer:
    """The first `length` tokens of a layer, as views of its blocks."""

    layer: PrefixLayer
    length: int

    def blocks(self) -> Iterator[Block]:
        left = self.length
        for keys, values in self.layer.blocks():
            if left <= 0:
                return
            yield keys[:, :left], values[:, :left]
            left -= keys.shape[1]


@dataclass(frozen=True)
class Beginning:
    """The first tokens of a prefix, of every layer."""

    layers: list[BeginningLayer]


def sample(layout: Layout, count: int, seed: int) -> tuple[Int[Tensor, " rows"], Int[Tensor, " rows"]]:
    """`count` of the visual tokens, all where there are no more: indices into them and into the prefix, in order."""
    places = torch.cat([torch.full((span.length,), span.is_frame) for span in layout.spans]).nonzero()[:, 0]
    drawn = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))[:count].sort().values
    drawn = drawn[places[drawn] > 0]  # the very first token of all sees no key but its own
    return drawn, places[drawn]


def visual_rows(
    reference: Subject,
    modified: Subject,
    places: Int[Tensor, " rows"],
    tokens: Float[Tensor, "rows D"],
    positions: Float[Tensor, "*A rows"],
) -> dict[str, HeadSums]:
    """`local` and `end_to_end` (passes.py) of tokens at these places of the prefix, on these positions. The group
    question is here the row's own key.
    """
    if len(places) == 0:
        raise BadInput("visual rows need at least 1 visual token after the first token of the prefix, got 0")
    found: dict[str, list[HeadSums]] = {"local": [], "end_to_end": []}
    for place, token, position in zip(places.tolist(), tokens, positions.unbind(-1), strict=True):
        ours, theirs = (_before(place, position, subject) for subject in (reference, modified))
        found["local"].append(local(ours, theirs.prefix, [token[None]]))
        found["end_to_end"].append(end_to_end(ours, theirs, [token[None]]))
    return {scope: reduce(add, sums) for scope, sums in found.items()}


def _before(place: int, position: Float[Tensor, "*A"], subject: Subject) -> Subject:
    """The subject that has watched only as far as `place`."""
    return replace(
        subject,
        prefix=beginning(subject.prefix, place),
        groups=subject.groups.before(place),
        positions=position[..., None].to(subject.positions.device),
    )


def beginning(prefix: Prefix, length: int) -> Beginning:
    """The prefix as far as `length` tokens; nothing is copied."""
    return Beginning([BeginningLayer(layer, length) for layer in prefix.layers])
