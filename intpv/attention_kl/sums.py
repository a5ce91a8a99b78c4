"""Head sums: what is measured per query row, added up per (layer, head); sums of videos add up to those of a cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from intpv.attention_kl.divergence import shares
from intpv.attention_kl.grouped import OneModel, grouped_kl
from intpv.attention_kl.streaming import Comparison
from intpv.errors import BadInput


@dataclass(frozen=True)
class HeadSums:
    """Sums in float64 on the CPU, by name, and over how many rows each goes: rows without a value are left out."""

    layers: tuple[int, ...]
    sums: dict[str, Float[Tensor, "L H ..."]]
    rows: dict[str, Float[Tensor, "L H"]]

    def __add__(self, other: "HeadSums") -> "HeadSums":
        """Of both together. BadInput where they are not of the same layers."""
        if self.layers != other.layers:
            raise BadInput(f"only sums of the same layers can be added, got layers {self.layers} and {other.layers}")
        added = [
            {name: value + theirs[name] for name, value in mine.items()}
            for mine, theirs in ((self.sums, other.sums), (self.rows, other.rows))
        ]
        return HeadSums(self.layers, *added)

    def mean(self, name: str) -> Float[Tensor, "L H ..."]:
        """Mean over the rows; 0 where no row has a value."""
        sums, rows = self.sums[name], self.rows[name].clamp_min(1)
        return sums / rows.reshape(*rows.shape, *[1] * (sums.dim() - 2))


def of_layer(layer: int, values: Mapping[str, tuple[Float[Tensor, "H R ..."], Bool[Tensor, "H R"]]]) -> HeadSums:
    """One layer's values per row, each with whether the row has one."""
    rows = {name: valid.sum(1, dtype=torch.float64)[None].cpu() for name, (_, valid) in values.items()}
    sums = {}
    for name, (value, valid) in values.items():
        outside = ~valid.reshape(*valid.shape, *[1] * (value.dim() - 2))
        sums[name] = value.double().masked_fill(outside, 0).sum(1)[None].cpu()
    return HeadSums((layer,), sums, rows)


def stacked_layers(found: Sequence[HeadSums]) -> HeadSums:
    """(1, H) each -> (L, H)."""
    sums, rows = (
        {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        for parts in ([one.sums for one in found], [one.rows for one in found])
    )
    return HeadSums(tuple(layer for one in found for layer in one.layers), sums, rows)


def of_comparison(layer: int, comparison: Comparison) -> HeadSums:
    """kl/all, kl/video, entropy/*, mass/* (L, H, G), top1_agreement, lost_mass, output/error and output/norm (squared).

    kl/video is left out without frames.
    """
    everything, video, groups = comparison.all_keys, comparison.video, comparison.groups
    seen = everything.reference.visible
    values = {
        "kl/all": (everything.kl, everything.comparable),
        "entropy/reference": (everything.reference.entropy, everything.comparable),
        "entropy/modified": (everything.modified.entropy, everything.comparable),
        "top1_agreement": (everything.top1_agrees.float(), seen),
        "lost_mass": (everything.lost_mass, seen),
        "output/error": (comparison.error, seen),
        "output/norm": (comparison.norm, seen),
        "mass/reference": (shares(groups.reference.lse), seen),
        "mass/modified": (shares(groups.modified.lse), seen),
    }
    if video is not None:
        values["kl/video"] = video.kl, video.comparable
    return of_layer(layer, values)


def of_grouped(layer: int, reference: OneModel, modified: OneModel) -> HeadSums:
    """total, modality, within_video, within_text and lost_mass (grouped.py); of each model alone entropy/*,
    video_mass/*, time_moment/*.
    """
    values = grouped_kl(reference.lse, modified.lse)._asdict()
    for name, one in (("reference", reference), ("modified", modified)):
        values |= {
            f"entropy/{name}": one.entropy,
            f"video_mass/{name}": one.video_mass,
            f"time_moment/{name}": one.time_moment,
        }
    every = torch.ones_like(reference.entropy, dtype=torch.bool)
    return of_layer(layer, {name: (value, every) for name, value in values.items()})


# Listed: numbers that stay single, one per question or per video, since a median or a spread cannot be added up.


@dataclass(frozen=True)
class Listed:
    """By name, in float64 on the CPU; those of several videos stand one behind the other."""

    values: Mapping[str, Float[Tensor, "n ..."]]

    @classmethod
    def of(cls, values: Mapping[str, Float[Tensor, "n ..."] | Sequence[float]]) -> "Listed":
        return cls({name: torch.as_tensor(value, dtype=torch.float64).cpu() for name, value in values.items()})

    @classmethod
    def together(cls, all_of_them: Sequence["Listed"]) -> "Listed":
        """In the order given; a name that only some have is that of those."""
        names = dict.fromkeys(name for one in all_of_them for name in one.values)
        return cls({name: torch.cat([one.values[name] for one in all_of_them if name in one.values]) for name in names})
