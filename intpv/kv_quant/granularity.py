"""Granularity: which numbers share a scale and a zero; how a tensor becomes such groups, and back.

Codes are stored in the order of the tokens whatever the granularity; only scales and zeros know the groups. So a piece
of the prefix is dequantised in its place, in no more memory than its own, also where a group is one patch in many
frames and reaches across the whole prefix.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Shaped
from torch import Tensor

from intpv.errors import BadInput

Tokens = Shaped[Tensor, "H_kv t d"]
Groups = Shaped[Tensor, "a b c g"]  # members last
Grid = Shaped[Tensor, "a b c"]  # a scale or a zero per group


@dataclass(frozen=True)
class Cells:
    """Where in a table (H_kv, P, G, C) is the scale of token t and channel c: patch t % P, group t // P // group,
    column c // width; an axis of size 1 is shared by all."""

    frame: int  # P, tokens; 1 where a group is of tokens
    group: int | None  # tokens, or frames where P > 1; None is all of them
    width: int  # channels


@dataclass(frozen=True)
class Granularity(ABC):
    """Groups of `group` members along the axis that the class names; None is the whole axis.

    The last group of an axis may be shorter and has its true length: `split` then gives two parts that differ in g,
    and the stored grid is one part's after the other's, along b.
    """

    group: int | None
    frame: int = 1  # P, tokens; read only by classes that group frames

    groups_frames: ClassVar[bool] = False

    @abstractmethod
    def split(self, x: Tokens) -> list[Groups]: ...

    @abstractmethod
    def join(self, parts: list[Groups], heads: int, head_dim: int) -> Tokens: ...

    @abstractmethod
    def spread(self, grid: Grid, start: int, stop: int) -> Shaped[Tensor, "_ _ _"]:
        """The grid of tokens start ... stop - 1, broadcastable to (H_kv, t, d)."""

    @abstractmethod
    def count(self, heads: int, tokens: int, head_dim: int) -> int:
        """Groups of a tensor (H_kv, t, d)."""

    @abstractmethod
    def cells(self, head_dim: int) -> Cells:
        """What shares a scale, as numbers."""

    def table(self, grid: Grid) -> Shaped[Tensor, "_ P G C"]:
        """The grid as `Cells` index it; a view. The first axis is heads, or 1 for all of them."""
        return grid.unsqueeze(1)

    def check(self, side: str, head_dim: int) -> None:  # noqa: B027  most classes have nothing to refuse
        """BadInput that names the field of `side`, key or value, if the group does not fit the head dim."""


class PerTensor(Granularity):
    """One group: all heads, tokens and channels of a layer."""

    def split(self, x):
        return [rearrange(x, "h t d -> 1 1 1 (h t d)")]

    def join(self, parts, heads, head_dim):
        return rearrange(parts[0], "1 1 1 (h t d) -> h t d", h=heads, d=head_dim)

    def spread(self, grid, start, stop):
        return grid

    def cells(self, head_dim):
        return Cells(1, None, head_dim)

    def count(self, heads, tokens, head_dim):
        return 1

    def check(self, side, head_dim):
        if self.group is not None:
            raise BadInput(f"kv_quant.{side}_group must be null when {side}_granularity is tensor, got {self.group}")


class PerChannel(Granularity):
    """`group` tokens of one channel of one head; the grid is (H_kv, G, d)."""

    def split(self, x):
        group = self.group or x.shape[1]
        whole = x.shape[1] - x.shape[1] % group
        parts = [(x[:, :whole], group), (x[:, whole:], x.shape[1] - whole)]
        return [rearrange(part, "h (n g) d -> h n d g", g=size) for part, size in parts if part.shape[1]]

    def join(self, parts, heads, head_dim):
        return torch.cat([rearrange(part, "h n d g -> h (n g) d") for part in parts], 1)

    def spread(self, grid, start, stop):
        return grid.index_select(1, torch.arange(start, stop, device=grid.device) // (self.group or stop))

    def cells(self, head_dim):
        return Cells(1, self.group, 1)

    def count(self, heads, tokens, head_dim):
        return heads * -(-tokens // (self.group or tokens)) * head_dim


class PerToken(Granularity):
    """`group` channels of one token of one head; the grid is (H_kv, t, C), C = d / group."""

    def split(self, x):
        return [rearrange(x, "h t (c g) -> h t c g", g=self.group or x.shape[2])]

    def join(self, parts, heads, head_dim):
        return rearrange(parts[0], "h t c g -> h t (c g)")

    def spread(self, grid, start, stop):
        members = self.group or 1  # a lone group is broadcast over the channels
        return grid[:, start:stop].unsqueeze(-1).expand(-1, -1, -1, members).flatten(2)

    def cells(self, head_dim):
        return Cells(1, 1, self.group or head_dim)

    def count(self, heads, tokens, head_dim):
        return heads * tokens * (head_dim // self.group if self.group else 1)

    def check(self, side, head_dim):
        if self.group is not None and head_dim % self.group:
            raise BadInput(f"kv_quant.{side}_group must divide the head dim {head_dim}, got {self.group}")


# Temporal granularity: one channel of the same patch in `group` frames, as videos change slowly (VidKV 2503.16257).


class Temporal(Granularity):
    """Per channel over frames instead of tokens, each patch for itself; the grid is (H_kv * P, G, d).

    The run is whole frames of P tokens. The last group may have fewer frames.
    """

    groups_frames = True

    def split(self, x):
        return PerChannel(self.group).split(rearrange(x, "h (f p) d -> (h p) f d", p=self.frame))

    def join(self, parts, heads, head_dim):
        return rearrange(PerChannel(self.group).join(parts, heads, head_dim), "(h p) f d -> h (f p) d", p=self.frame)

    def spread(self, grid, start, stop):
        token = torch.arange(start, stop, device=grid.device)
        frame, patch = token // self.frame, token % self.frame
        return rearrange(grid, "(h p) n d -> h p n d", p=self.frame)[:, patch, frame // (self.group or stop)]

    def cells(self, head_dim):
        return Cells(self.frame, self.group, 1)

    def table(self, grid):
        return rearrange(grid, "(h p) n d -> h p n d", p=self.frame)

    def count(self, heads, tokens, head_dim):
        return PerChannel(self.group).count(heads * self.frame, tokens // self.frame, head_dim)
