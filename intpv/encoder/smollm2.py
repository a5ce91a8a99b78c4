"""SmolLM2's encoder: LanguageBind's tower as the mini has it, a projector of SmolLM2's width; both to be loaded."""

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.weightless import weightless


def unloaded(**sizes) -> LanguageBind:
    """`sizes` are LanguageBind's; only a model that loads weights can use what comes back."""
    with weightless():
        return LanguageBind(**sizes)
