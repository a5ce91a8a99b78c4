"""Keys as they were before RoPE: a channel that turns with the position has no scale of its own, one at rest has.

What is quantised is R(-a) k and what is handed out R(a) R(-a) k, by one and the same table a, so that nothing of the
turning is left whatever the table. It is kept as positions and one row of frequencies, 4 bytes a token, and the angles
are their product, as in every strategy; kept whole it would be 2 d bytes a token, much beside 2-bit codes. With M-RoPE
it is one row of positions per axis, and the axis of each pair of channels.

A strategy's attention scale m (YaRN's temperature) multiplied the cached keys too. Un-rotating by angles leaves m k,
which is quantised as it is, m in its scales, and rotated again: only who un-rotates with m cos and m sin has to divide
by m^2.
"""

from dataclasses import dataclass, replace
from functools import cache

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import Layout

TOLERANCE = 0.01  # rad; float32 angles of 100,000 rad are 0.004 apart
MOST = 3  # axes


@dataclass(frozen=True)
class PreRope:
    """A basis to quantise in: each pair of channels (i, i + d/2), as transformers pairs them, turned back.

    >>> basis = PreRope.of(torch.tensor([[0.0], [torch.pi / 2]]), torch.device("cpu"))
    >>> keys = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])  # one and the same, turned by 0 and by a quarter
    >>> basis.into(keys).round().int().tolist()
    [[[1, 0], [1, 0]]]
    """

    positions: Float[Tensor, "*A t"]  # in units of the farthest token's
    farthest: Float[Tensor, " half"]  # rad, the angles of that token
    axis: UInt8[Tensor, " half"] | None = None  # whose positions a pair of channels turns by; None: there is one axis

    @classmethod
    def of(cls, angles: Float[Tensor, "t half"], device: torch.device, axes: int = 1) -> "PreRope":
        """From angles in rad, with `axes` rows of positions or as many more as they need, three at most.

        BadInput if they are no product of such positions and frequencies.
        """
        exact = angles.double()
        turns = exact.abs().amax(0)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
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
            return cls(positions[0].to(device, torch.float32), farthest[0].to(device, torch.float32))
        axis = offs.argmin(0)
        own = farthest.gather(0, axis[None])[0]
        return cls(positions.to(device, torch.float32), own.to(device, torch.float32), axis.to(device, torch.uint8))

    def to(self, device: torch.device) -> "PreRope":
        """For the keys of a layer that lies elsewhere."""
        axis = None if self.axis is None else self.axis.to(device)
        return PreRope(self.positions.to(device), self.farthest.to(device), axis)

    def at(self, tokens: Int[Tensor, " n"]) -> "PreRope":
        """Of some of the tokens: positions of their own, and the frequencies of all."""
        return replace(self, positions=self.positions[..., tokens.to(self.positions.device)])

    def into(self, keys: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H_kv t d"]:
        """Rotated keys -> keys before rotation, float32."""
        return self._turn(keys.float(), 0, -1)

    def back(self, keys: Float[Tensor, "H_kv t d"], start: int) -> Float[Tensor, "H_kv t d"]:
        """Keys before rotation, of the tokens from `start` on -> rotated keys."""
        return self._turn(keys, start, 1)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        several = () if self.axis is None else (self.axis,)
        return {"angles": (self.positions, self.farthest, *several)}

    def angles(self, start: int = 0, stop: int | None = None) -> Float[Tensor, "t half"]:
        """In rad, of tokens from `start` to `stop`."""
        positions = self.positions[..., start:stop]
        # a column for all pairs of channels, or one for each
        return (positions[:, None] if self.axis is None else positions[self.axis.long()].T) * self.farthest

    def _turn(self, keys: Tensor, start: int, sign: int) -> Tensor:
        angles = self.angles(start, start + keys.shape[1])
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
    """Rows of positions that are kept: by the layout alone, so that bytes do not depend on which axes turn slowly.

    >>> from intpv.layout import Span
    >>> axes_of(Layout((Span(4, time=0.0),))), axes_of(Layout((Span(4, time=0.0, grid=(2, 2)),)))
    (1, 3)
    """
    return MOST if layout.has_grids else 1


def nbytes(tokens: int, head_dim: int, axes: int = 1, devices: int = 1, positions: int | None = None) -> int:
    """Of the table, once for all layers of a device; `positions` are rows of them, where layers have their own tokens.

    >>> nbytes(tokens=1000, head_dim=128)  # 4 * (1000 + 64)
    4256
    >>> nbytes(tokens=1000, head_dim=128, positions=32)  # 4 * (32 * 1000 + 64)
    128256
    """
    pairs, rows = head_dim // 2, devices if positions is None else positions
    return 4 * axes * tokens * rows + devices * (4 * pairs + (pairs if axes > 1 else 0))


# Hadamard mixing of the head dim: every stored channel is a mean of all channels, so outliers are spread out.
#
# Orthonormal and its own inverse. Keys are mixed back when they are handed out, so that a query need not know; a
# kernel may mix the query instead, q.k = (Hq).(Hk) (QuaRot, arXiv 2404.00456).


@dataclass(frozen=True)
class Hadamard:
    """A basis to quantise in: x H with Sylvester's H of d channels.

    >>> mixed = Hadamard().into(torch.tensor([[[8.0, 0.0, 0.0, 0.0]]]))  # an outlier
    >>> mixed.tolist(), Hadamard().back(mixed, start=0).tolist()
    ([[[4.0, 4.0, 4.0, 4.0]]], [[[8.0, 0.0, 0.0, 0.0]]])
    """

    def into(self, x: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H_kv t d"]:
        return x.float() @ matrix(x.shape[-1], x.device)

    def back(self, x: Float[Tensor, "H_kv t d"], start: int) -> Float[Tensor, "H_kv t d"]:
        return self.into(x)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        return {}


@cache
def matrix(channels: int, device: torch.device | None = None) -> Float[Tensor, "d d"]:
    """H / sqrt(d), symmetric. Raises BadInput unless d is a power of two.

    >>> (2 * matrix(4)).int().tolist()
    [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
    """
    if channels & (channels - 1) or channels < 1:
        raise BadInput(f"a Hadamard basis needs a head dim that is a power of two, got {channels}")
    step, result = torch.tensor([[1.0, 1.0], [1.0, -1.0]], device=device), torch.ones(1, 1, device=device)
    while len(result) < channels:
        result = torch.kron(step, result)
    return result / channels**0.5
