"""Known: what conf/model says of a published model's training, for who has transformers' model and no config."""

from dataclasses import dataclass
from math import prod

import yaml
from hydra.utils import get_class
from transformers import PreTrainedModel

from intpv.options import CONF


@dataclass(frozen=True)
class Known:
    """Of an architecture, by the option of conf/model that is of it."""

    option: str
    trained_visual_length: int  # tokens of one video
    slot: int | None  # tokens of a slot of frames at the usual size; None: every slot has as many


def known(model: PreTrainedModel) -> Known | None:
    """None for an architecture whose training no option states."""
    for file in sorted((CONF / "model").glob("*.yaml")):
        stated = yaml.safe_load(file.read_text(encoding="utf-8"))
        kind, _, function = stated["_target_"].rpartition(".")
        length = stated.get("trained_visual_length")
        if function == "load" and length and type(model).__name__ == getattr(_adapter(kind), "architecture", None):
            grid = stated.get("usual_grid")
            return Known(file.stem, length, prod(grid) if grid else None)
    return None


def _adapter(name: str) -> type | None:
    """The class of that name; None for a module."""
    return get_class(name) if name.rpartition(".")[2][:1].isupper() else None
