"""Passes: attention KL of a real model, over all its layers, for the rows of a video's questions, in portions of them.

local       reference queries and hidden states, only the layer's prefix replaced: what the quantiser alone does
end_to_end  each model its own states, same tokens: what has piled up by this layer
grouped     end_to_end between models with different numbers of frames or prefixes of different length
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch import device as Device

from intpv.attention.prefix import PrefixLayer
from intpv.attention_kl.grouped import OneModel
from intpv.attention_kl.key_groups import time_bins
from intpv.attention_kl.streaming import Asked, Block, Side, compare, group_tallies
from intpv.attention_kl.subject import Rows, Subject
from intpv.attention_kl.sums import HeadSums, of_comparison, of_grouped, stacked_layers
from intpv.errors import BadInput
from intpv.hf.attention import Prefix
from intpv.layout import Layout
from intpv.video_llm.portions import portions

Layers = Collection[int] | None


def local(
    reference: Subject, modified: Prefix, rows: Rows, layers: Layers = None, dtype: torch.dtype = torch.float32
) -> HeadSums:
    """KL to `modified` under the reference's own queries. Its logits in float64 beside the reference's own prefix in
    its place give the numeric floor: what float32 alone makes of identical caches.
    """
    _check_layers(reference.prefix, modified)

    def measure(rows: Rows) -> HeadSums:
        found: list[HeadSums] = []

        def observe(layer: int, asked: Asked) -> None:
            sides = Side(asked, reference.prefix.layers[layer]), Side(asked, modified.layers[layer], dtype)
            found.append(of_comparison(layer, compare(*sides, reference.groups)))

        reference.read(rows, observe, layers)
        return stacked_layers(found)

    return _in_portions(rows, measure)


def end_to_end(reference: Subject, modified: Subject, rows: Rows, layers: Layers = None) -> HeadSums:
    """KL between two models that have read the same tokens. The reference's queries of all layers are held meanwhile.

    With the reference recut in place of `modified` this is the numeric floor.
    """
    _check_layers(reference.prefix, modified.prefix)
    if reference.groups != modified.groups:
        raise BadInput("end_to_end needs prefixes of the same tokens, got different groups of keys: use grouped")

    def measure(rows: Rows) -> HeadSums:
        seen: dict[int, Asked] = {}
        found: list[HeadSums] = []

        def observe(layer: int, asked: Asked) -> None:
            sides = Side(seen.pop(layer), reference.prefix.layers[layer]), Side(asked, modified.prefix.layers[layer])
            kept = modified.kept_on(layer, asked.q.device)
            found.append(of_comparison(layer, compare(*sides, reference.groups, kept)))

        reference.read(rows, seen.__setitem__, layers)
        modified.read(rows, observe, layers)
        return stacked_layers(found)

    return _in_portions(rows, measure)


def both(reference: Subject, modified: Subject, rows: Rows, floors: bool = True) -> dict[str, HeadSums]:
    """`local` and `end_to_end`, and the `<scope>/floor` of each, from one reading of the reference.

    A modified model with the reference's own prefix is not read: its states are the reference's.
    """
    _check_layers(reference.prefix, modified.prefix)
    recut = replace(reference, prefix=Recut.of(reference.prefix))

    def measure(rows: Rows) -> dict[str, HeadSums]:
        seen: dict[int, Asked] = {}
        found: dict[str, list[HeadSums]] = {}

        def note(scope: str, layer: int, other: Side, read: Subject) -> None:
            ours, kept = Side(seen[layer], reference.prefix.layers[layer]), read.kept_on(layer, other.asked.q.device)
            found.setdefault(scope, []).append(of_comparison(layer, compare(ours, other, reference.groups, kept)))

        def alone(layer: int, asked: Asked) -> None:
            seen[layer] = asked
            note("local", layer, Side(asked, modified.prefix.layers[layer]), modified)
            if floors:
                note("local/floor", layer, Side(asked, reference.prefix.layers[layer], torch.float64), reference)

        reference.read(rows, alone)
        others = {"end_to_end": modified, **({"end_to_end/floor": recut} if floors else {})}
        if modified.prefix is reference.prefix:
            found["end_to_end"] = found["local"]
            del others["end_to_end"]
        for scope, other in others.items():

            def behind(layer: int, asked: Asked, scope=scope, other=other) -> None:
                note(scope, layer, Side(asked, other.prefix.layers[layer]), other)

            other.read(rows, behind)
        return {scope: stacked_layers(sums) for scope, sums in found.items()}

    parts = [measure(rows[part]) for part in portions([len(row) for row in rows])]
    return {scope: reduce(add, (part[scope] for part in parts)) for scope in parts[0]}


def grouped(reference: Subject, modified: Subject, rows: Rows, layers: Layers = None) -> HeadSums:
    """Grouped KL (grouped.py) between two models that have read the same rows after prefixes of any length."""
    _check_layers(reference.prefix, modified.prefix)
    *bins, count = time_bins(reference.groups.times, modified.groups.times)

    def measure(rows: Rows) -> HeadSums:
        seen: list[dict[int, OneModel]] = []
        for subject, which in zip((reference, modified), bins, strict=True):
            seen.append({})

            def observe(layer: int, asked: Asked, subject=subject, which=which, into=seen[-1]) -> None:
                tallies = group_tallies(Side(asked, subject.prefix.layers[layer]), subject.groups_of(layer))
                into[layer] = OneModel.of(tallies, which, count)

            subject.read(rows, observe, layers)
        ours, theirs = seen
        return stacked_layers([of_grouped(layer, one, theirs[layer]) for layer, one in ours.items()])

    return _in_portions(rows, measure)


def _in_portions(rows: Rows, measure: Callable[[Rows], HeadSums]) -> HeadSums:
    """The sums over all rows; what is held meanwhile is of a portion."""
    parts = portions([len(row) for row in rows])
    return reduce(add, (measure(rows[part]) for part in parts)) if rows else measure(rows)


def _check_layers(*prefixes: Prefix) -> None:
    ours, theirs = (len(prefix.layers) for prefix in prefixes)
    if ours != theirs:
        raise BadInput(f"reference and modified model must have equally many layers, got {ours} and {theirs}")


# Visual rows: a seeded sample of the video's own tokens as query rows, each after the part of the prefix before it.
#
# A token fed again at its place, on the keys that it saw in prefill, has the hidden states that it had there; on
# quantised keys it has those of a model that reads its own quantised prefix while it watches. One row is read at a
# time: each sees another length of prefix, and no map over all of them is made.


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
) -> dict[str, HeadSums]:
    """`local` and `end_to_end` (passes.py) of tokens at these places of the prefix. The group question is here the
    row's own key.
    """
    if len(places) == 0:
        raise BadInput("visual rows need at least 1 visual token after the first token of the prefix, got 0")
    found: dict[str, list[HeadSums]] = {"local": [], "end_to_end": []}
    for place, token in zip(places.tolist(), tokens, strict=True):
        ours, theirs = (_before(place, subject) for subject in (reference, modified))
        found["local"].append(local(ours, theirs.prefix, [token[None]]))
        found["end_to_end"].append(end_to_end(ours, theirs, [token[None]]))
    return {scope: reduce(add, sums) for scope, sums in found.items()}


def _before(place: int, subject: Subject) -> Subject:
    """The subject that has watched only as far as `place`."""
    return replace(
        subject,
        prefix=beginning(subject.prefix, place),
        groups=subject.groups.before(place),
        start=place,
    )


def beginning(prefix: Prefix, length: int) -> Beginning:
    """The prefix as far as `length` tokens; nothing is copied."""
    return Beginning([BeginningLayer(layer, length) for layer in prefix.layers])


# Recut: the same prefix in other blocks, so that attention adds up in another order: what that changes is rounding.


def tokens_of_block(device: Device) -> int:
    """No power of two, so that it falls in step with no kernel's own blocks; larger where each one costs launches."""
    return 48 if device.type == "cpu" else 500


@dataclass(frozen=True)
class RecutLayer:
    """A packed layer whose blocks of keys and values, (H_kv, t, d), are cut to `tokens_of_block` each, at most."""

    layer: PrefixLayer

    def blocks(self) -> Iterator[Block]:
        """Views of the layer's own blocks."""
        for keys, values in self.layer.blocks():
            tokens = tokens_of_block(keys.device)
            yield from zip(keys.split(tokens, dim=1), values.split(tokens, dim=1), strict=True)


@dataclass(frozen=True)
class Recut:
    """A prefix whose every layer is recut."""

    layers: list[RecutLayer]

    @classmethod
    def of(cls, prefix: Prefix) -> "Recut":
        return cls([RecutLayer(layer) for layer in prefix.layers])
