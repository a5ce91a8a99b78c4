"""The one place that puts a rotation into transformers' rotary module, and takes it out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from intpv.errors import BadInput
from intpv.rope_strategy.rotation import Rotation


@contextmanager
def applied(rotary: nn.Module, rotation: Rotation, tokens: range) -> Iterator[None]:
    """Inside `with`, the module gives the cos and sin of `rotation`, whatever positions they come from: the model is
    given no positions but which `tokens` it is fed, as position_ids (1, n) counted from the start of the prefix.

    So what a model rotates by is the angles, and nothing else; only the forward of this one module is replaced, its
    tables stay. Angles are float32 also in a module that was cast: bfloat16 is off by whole radians after 1000 tokens.
    """
    before = vars(rotary).get("forward")  # accelerate puts one there
    if isinstance(getattr(before, "__self__", None), _Rotated):
        raise BadInput(f"{type(rotary).__name__} rotates by other angles already: leave its `with` before another")
    rotary.forward = _Rotated(rotation, tokens).forward
    try:
        yield
    finally:
        del rotary.forward
        if before is not None:
            rotary.forward = before


class _Rotated:
    """A rotary module's forward over a table of angles."""

    def __init__(self, rotation: Rotation, tokens: range):
        self.start, self.angles, self.scales = tokens.start, rotation.rows(tokens), rotation.scales()
        self.columns = {kind: one.columns for kind, one in rotation.geometries().items()}
        self.ready: dict[tuple, tuple[Tensor, Tensor]] = {}  # cos and sin; one forward may ask several times

    def forward(self, x: Tensor, position_ids: Tensor, layer_type: str | None = None) -> tuple[Tensor, Tensor]:
        """(B, n, columns) each, of x's dtype and device."""
        kind = layer_type if layer_type in self.angles else None
        key = kind, x.device, x.dtype
        if key not in self.ready:
            angles, columns = self.angles[kind], list(self.columns[kind])
            # columns first, cos then: element for element what transformers computes, and in its order; taken on the
            # host, for a list of columns would be one more copy to the device
            angles = (angles[:, columns] if columns else angles).to(x.device)
            spread = angles if columns else torch.cat([angles, angles], -1)
            scale = self.scales[kind]
            self.ready[key] = (spread.cos() * scale).to(x.dtype), (spread.sin() * scale).to(x.dtype)
        (cos, sin), rows = self.ready[key], position_ids
        places = (rows[0] if rows.dim() == 3 else rows) - self.start  # M-RoPE: all axes name the same token
        return cos[places], sin[places]
