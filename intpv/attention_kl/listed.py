"""Listed: numbers that stay single, one per question or per video, since a median or a spread cannot be added up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


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
