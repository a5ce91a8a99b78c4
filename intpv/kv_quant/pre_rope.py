"""Keys as they were before RoPE: a channel that turns with the position has no scale of its own, one at rest has.

What is quantised is R(-a) k and what is handed out R(a) R(-a) k, by one and the same table a, so that nothing of the
turning is left whatever the table. It is kept as positions and one row of frequencies, 4 bytes a token, and the angles
are their product, as in every strategy; kept whole it would be 2 d bytes a token, much beside 2-bit codes.

A strategy's attention scale m (YaRN's temperature) multiplied the cached keys too. Un-rotating by angles leaves m k,
which is quantised as it is, m in its scales, and rotated again: only who un-rotates with m cos and m sin has to divide
by m^2.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput

TOLERANCE = 0.01  # rad; float32 angles of 100,000 rad are 0.004 apart


@dataclass(frozen=True)
class PreRope:
    """A basis to quantise in: each pair of channels (i, i + d/2), as transformers pairs them, turned back."""

    positions: Float[Tensor, " t"]  # in units of the farthest token's
    farthest: Float[Tensor, " half"]  # rad, the angles of that token

    @classmethod
    def of(cls, angles: Float[Tensor, "t half"], device: torch.device) -> "PreRope":
        """From angles in rad. BadInput if they are no product of positions and frequencies (M-RoPE's three axes)."""
        exact = angles.double()
        row, pair = divmod(int(exact.abs().argmax()), exact.shape[1])
        turned = exact[row, pair] != 0  # a lone token at position 0 is not
        positions = exact[:, pair] / exact[row, pair] if turned else exact[:, pair]
        off = (positions[:, None] * exact[row] - exact).abs().amax().item()
        if not off <= TOLERANCE:
            raise BadInput(
                "kv_quant.pre_rope needs angles that are positions x inv_freq to within "
                f"{TOLERANCE} rad, got a table {off:.3g} rad off"
            )
        return cls(*(x.to(device, torch.float32) for x in (positions, exact[row])))

    def into(self, keys: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H_kv t d"]:
        """Rotated keys -> keys before rotation, float32."""
        return self._turn(keys.float(), 0, -1)

    def back(self, keys: Float[Tensor, "H_kv t d"], start: int) -> Float[Tensor, "H_kv t d"]:
        """Keys before rotation, of the tokens from `start` on -> rotated keys."""
        return self._turn(keys, start, 1)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        return {"angles": (self.positions, self.farthest)}

    def _turn(self, keys: Tensor, start: int, sign: int) -> Tensor:
        angles = self.positions[start : start + keys.shape[1], None] * self.farthest
        cos, sin = angles.cos(), sign * angles.sin()
        first, second = keys.chunk(2, -1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def nbytes(tokens: int, head_dim: int) -> int:
    """Of the table, once for all layers."""
    return 4 * (tokens + head_dim // 2)
