"""The encoder of Video-LLaVA as ported to transformers: CLIP on single frames, its weights still to be loaded."""

from intpv.encoder.per_frame import PerFrame
from intpv.encoder.weightless import weightless


def unloaded(**sizes) -> PerFrame:
    """`sizes` are PerFrame's; only a model that loads or draws weights can use what comes back."""
    with weightless():
        return PerFrame(**sizes)
