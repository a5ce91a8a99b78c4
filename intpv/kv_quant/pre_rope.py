"""Keys as they were before RoPE: a channel that turns with the position has no scale of its own, one at rest has.

What is quantised is R(-a) k and what is handed out R(a) R(-a) k, by one and the same table a, so that nothing of the
turning is left whatever the table. It is kept as positions and one row of frequencies, 4 bytes a token, and the angles
are their product, as in every strategy; kept whole it would be 2 d bytes a token, much beside 2-bit codes. With M-RoPE
it is one row of positions per axis, and the axis of each pair of channels.

A strategy's attention scale m (YaRN's temperature) multiplied the cached keys too. Un-rotating by angles leaves m k,
which is quantised as it is, m in its scales, and rotated again: only who un-rotates with m cos and m sin has to divide
by m^2.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import Layout

TOLERANCE = 0.01  # rad; float32 angles of 100,000 rad are 0.004 apart
MOST = 3  # axes


@dataclass(frozen=True)
class PreRope:
    """A basis to quantise in: each pair of channels (i, i + d/2), as transformers pairs them, turned back."""

    positions: Float[Tensor, "*A t"]  # in units of the farthest token's
    farthest: Float[Tensor, " half"]  # rad, the angles of that token
    axis: UInt8[Tensor, " half"] | None = None  # whose positions a pair of channels turns by; None: there is one axis

    @classmethod
    def of(cls, angles: Float[Tensor, "t half"], device: torch.device, axes: int = 1) -> "PreRope":
        """From angles in rad, with `axes` rows of positions or as many more as they need, three at most.

        BadInput if they are no product of such positions and frequencies.
        """
        exact = angles.double()
        turns, found = exact.abs().amax(0), []
        off = turns.new_full(turns.shape, torch.inf)
        while len(found) < axes or (off.max() > TOLERANCE and len(found) < MOST):
            # a further axis is that of the pair which turns most among those that fit none, else of the worst fit
            fits = off <= TOLERANCE
            found.append(_axis(exact, off if fits.all() else turns.masked_fill(fits, -1)))
            off = torch.minimum(off, found[-1][2])
        if not off.max() <= TOLERANCE:
            raise BadInput(
                f"kv_quant.pre_rope needs angles that are positions x inv_freq, of {MOST} axes at most, to within "
                f"{TOLERANCE} rad, got a table {off.max().item():.3g} rad off"
            )
        positions, farthest, offs = (torch.stack(parts) for parts in zip(*found, strict=True))
        if len(found) == 1:
            return cls(*(x[0].to(device, torch.float32) for x in (positions, farthest)))
        axis = offs.argmin(0)
        own = farthest.gather(0, axis[None])[0]
        return cls(*(x.to(device, torch.float32) for x in (positions, own)), axis.to(device, torch.uint8))

    def to(self, device: torch.device) -> "PreRope":
        """For the keys of a layer that lies elsewhere."""
        axis = None if self.axis is None else self.axis.to(device)
        return PreRope(self.positions.to(device), self.farthest.to(device), axis)

    def into(self, keys: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H_kv t d"]:
        """Rotated keys -> keys before rotation, float32."""
        return self._turn(keys.float(), 0, -1)

    def back(self, keys: Float[Tensor, "H_kv t d"], start: int) -> Float[Tensor, "H_kv t d"]:
        """Keys before rotation, of the tokens from `start` on -> rotated keys."""
        return self._turn(keys, start, 1)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        several = () if self.axis is None else (self.axis,)
        return {"angles": (self.positions, self.farthest, *several)}

    def spread(self, start: int = 0, stop: int | None = None) -> Float[Tensor, "t #half"]:
        """Positions of tokens from `start` to `stop`: a column for all pairs of channels, or one for each."""
        positions = self.positions[..., start:stop]
        return positions[:, None] if self.axis is None else positions[self.axis.long()].T

    def _turn(self, keys: Tensor, start: int, sign: int) -> Tensor:
        angles = self.spread(start, start + keys.shape[1]) * self.farthest
        cos, sin = angles.cos(), sign * angles.sin()
        first, second = keys.chunk(2, -1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _axis(exact: Float[Tensor, "t half"], turns: Float[Tensor, " half"]) -> tuple[Tensor, Tensor, Tensor]:
    """Positions (t,) of the axis that the pair which turns most is on; all pairs' angles (half,) at its farthest token,
    and how many rad each is off (half,) if it is on that axis too."""
    pair = int(turns.argmax())
    row = int(exact[:, pair].abs().argmax())
    turned = exact[row, pair] != 0  # a lone token at position 0 is not
    positions = exact[:, pair] / exact[row, pair] if turned else exact[:, pair]
    off = (positions[:, None] * exact[row] - exact).abs().amax(0)
    return positions, exact[row], off


def axes_of(layout: Layout) -> int:
    """Rows of positions that are kept: by the layout alone, so that bytes do not depend on which axes turn slowly."""
    return MOST if layout.has_grids else 1


def nbytes(tokens: int, head_dim: int, axes: int = 1) -> int:
    """Of the table, once for all layers."""
    pairs = head_dim // 2
    return 4 * (axes * tokens + pairs) + (pairs if axes > 1 else 0)
