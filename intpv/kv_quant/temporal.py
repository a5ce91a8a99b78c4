"""Temporal granularity: one channel of the same patch in `group` frames, as videos change slowly (VidKV 2503.16257)."""

import torch
from einops import rearrange

from intpv.kv_quant.granularity import Cells, Granularity, PerChannel


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
