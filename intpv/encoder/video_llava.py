"""Video-LLaVA's own encoder at the size of its checkpoint: LanguageBind's tower, its weights still to be loaded."""

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.weightless import weightless


def unloaded(**sizes) -> LanguageBind:
    """`sizes` are LanguageBind's; only a model that loads or draws weights can use what comes back."""
    with weightless():
        return LanguageBind(**sizes)
