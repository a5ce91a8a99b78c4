"""Passes: attention KL of a real model, over all its layers, for the rows of a video's questions.

local       reference queries and hidden states, only the layer's prefix replaced: what the quantiser alone does
end_to_end  each model its own states, same tokens: what has piled up by this layer
grouped     end_to_end between models with different numbers of frames or prefixes of different length
"""

from collections.abc import Collection

import torch

from intpv.attention.interface import Prefix
from intpv.attention_kl.comparison import compare
from intpv.attention_kl.group_lse import group_tallies
from intpv.attention_kl.head_sums import HeadSums, of_comparison, of_grouped, stacked_layers
from intpv.attention_kl.one_model import OneModel
from intpv.attention_kl.side import Asked, Side
from intpv.attention_kl.subject import Rows, Subject
from intpv.attention_kl.time_bins import time_bins
from intpv.errors import BadInput

Layers = Collection[int] | None


def local(
    reference: Subject, modified: Prefix, rows: Rows, layers: Layers = None, dtype: torch.dtype = torch.float32
) -> HeadSums:
    """KL to `modified` under the reference's own queries. Its logits in float64 beside the reference's own prefix in
    its place give the numeric floor: what float32 alone makes of identical caches.
    """
    _check_layers(reference.prefix, modified)
    found: list[HeadSums] = []

    def observe(layer: int, asked: Asked) -> None:
        sides = Side(asked, reference.prefix.layers[layer]), Side(asked, modified.layers[layer], dtype)
        found.append(of_comparison(layer, compare(*sides, reference.groups)))

    reference.read(rows, observe, layers)
    return stacked_layers(found)


def end_to_end(reference: Subject, modified: Subject, rows: Rows, layers: Layers = None) -> HeadSums:
    """KL between two models that have read the same tokens. The reference's queries of all layers are held meanwhile.

    With the reference recut in place of `modified` this is the numeric floor.
    """
    _check_layers(reference.prefix, modified.prefix)
    if reference.groups != modified.groups:
        raise BadInput("end_to_end needs prefixes of the same tokens, got different groups of keys: use grouped")
    seen: dict[int, Asked] = {}
    found: list[HeadSums] = []

    def observe(layer: int, asked: Asked) -> None:
        sides = Side(seen.pop(layer), reference.prefix.layers[layer]), Side(asked, modified.prefix.layers[layer])
        found.append(of_comparison(layer, compare(*sides, reference.groups)))

    reference.read(rows, seen.__setitem__, layers)
    modified.read(rows, observe, layers)
    return stacked_layers(found)


def grouped(reference: Subject, modified: Subject, rows: Rows, layers: Layers = None) -> HeadSums:
    """Grouped KL (grouped.py) between two models that have read the same rows after prefixes of any length."""
    _check_layers(reference.prefix, modified.prefix)
    *bins, count = time_bins(reference.groups.times, modified.groups.times)
    seen: list[dict[int, OneModel]] = []
    for subject, which in zip((reference, modified), bins, strict=True):
        seen.append({})

        def observe(layer: int, asked: Asked, subject=subject, which=which, into=seen[-1]) -> None:
            tallies = group_tallies(Side(asked, subject.prefix.layers[layer]), subject.groups)
            into[layer] = OneModel.of(tallies, which, count)

        subject.read(rows, observe, layers)
    ours, theirs = seen
    return stacked_layers([of_grouped(layer, one, theirs[layer]) for layer, one in ours.items()])


def _check_layers(*prefixes: Prefix) -> None:
    ours, theirs = (len(prefix.layers) for prefix in prefixes)
    if ours != theirs:
        raise BadInput(f"reference and modified model must have equally many layers, got {ours} and {theirs}")
