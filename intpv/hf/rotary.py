"""The one place that puts a rotation into transformers' rotary module, and takes it out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from intpv.attention.segments import Turning
from intpv.errors import BadInput
from intpv.hf.attention import NAME, listener, placed, turning, use
from intpv.rope_strategy.geometry import baseline_inv_freq
from intpv.rope_strategy.rotation import Rotation


@contextmanager
def applied(rotary: nn.Module, rotation: Rotation, tokens: range) -> Iterator["Rotated"]:
    """Inside `with`, the module gives the cos and sin of `rotation`, whatever positions they come from: the model is
    given no positions but which `tokens` it is fed, as position_ids (1, n) counted from the start of the prefix.

    So what a model rotates by is the angles, and nothing else; only the forward of this one module is replaced, its
    tables stay. Where the strategy changes attention, a model in `use` attends in its segments, any other is refused
    afterwards. Angles are float32 also in a module that was cast: bfloat16 is off by whole radians after 1000 tokens.
    """
    before = vars(rotary).get("forward")  # accelerate puts one there
    if isinstance(getattr(before, "__self__", None), Rotated):
        raise BadInput(f"{type(rotary).__name__} rotates by other angles already: leave its `with` before another")
    rotated, turned = Rotated(rotation, tokens), _turning(rotation)
    rotary.forward = rotated.forward
    token = turning.set(turned)
    try:
        yield rotated
        if (
            turned is not None and rotated.ready and not turned.was_read
        ):  # transformers' own attention knows no segments
            raise ValueError(f"rope_strategy={turned.name} changes attention: put the text model in use()")
    finally:
        turning.reset(token)
        del rotary.forward
        if before is not None:
            rotary.forward = before


@contextmanager
def prefilling(
    text_model: PreTrainedModel,
    rotary: nn.Module,
    rotation: Rotation,
    implementation: str,
    hear: Callable[[int, Tensor, float], None] | None = None,
) -> Iterator["Rotated"]:
    """Inside, the model reads a prefix under its rotation, by this implementation of attention unless the strategy
    changes attention. `hear` is told each layer's queries; the implementation must be sdpa then."""
    tokens = torch.arange(rotation.layout.length)
    heard = listener.set(hear)
    try:
        with (
            use(text_model, NAME if rotation.partition or hear else implementation),
            applied(rotary, rotation, range(len(tokens))) as rotated,
            placed(tokens, tokens),
        ):
            yield rotated
    finally:
        listener.reset(heard)


def _turning(rotation: Rotation) -> Turning | None:
    if (partition := rotation.partition) is None:
        return None
    return Turning(rotation.strategy.name, partition, baseline_inv_freq(rotation.geometry))


class Rotated:
    """A rotary module's forward over a table of angles."""

    def __init__(self, rotation: Rotation, tokens: range):
        self.tokens, self.fed, self.angles, self.scales = tokens, tokens, rotation.rows(tokens), rotation.scales()
        self.columns = {kind: one.columns for kind, one in rotation.geometries().items()}
        self.ready: dict[tuple, tuple[Tensor, Tensor]] = {}  # cos and sin; one forward may ask several times

    def narrow(self, fed: range) -> None:
        """These of the tokens are fed next: cos and sin are made of no others."""
        self.fed = fed
        self.ready.clear()

    def forward(self, x: Tensor, position_ids: Tensor, layer_type: str | None = None) -> tuple[Tensor, Tensor]:
        """(B, n, columns) each, of x's dtype and device."""
        kind = layer_type if layer_type in self.angles else None
        key = kind, x.device, x.dtype
        if key not in self.ready:
            first = self.fed.start - self.tokens.start
            angles, columns = self.angles[kind][first : first + len(self.fed)], list(self.columns[kind])
            # columns first, cos then: element for element what transformers computes, and in its order; taken on the
            # host, for a list of columns would be one more copy to the device
            angles = (angles[:, columns] if columns else angles).to(x.device)
            spread = angles if columns else torch.cat([angles, angles], -1)
            scale = self.scales[kind]
            self.ready[key] = (spread.cos() * scale).to(x.dtype), (spread.sin() * scale).to(x.dtype)
        (cos, sin), rows = self.ready[key], position_ids
        places = (rows[0] if rows.dim() == 3 else rows) - self.fed.start  # M-RoPE: all axes name the same token
        return cos[places], sin[places]
