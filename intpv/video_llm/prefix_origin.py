"""Prefix origin: what the keys and values of a prefix depend on beside the video, told from a Video-LLM's parts."""

import hashlib
import json
from dataclasses import asdict

from intpv.budget.budget import Budget
from intpv.budget.none import NoBudget
from intpv.cache.weights_hash import weights_hash
from intpv.kv_quant.origin import Origin
from intpv.model.model import Model
from intpv.rearranger.rearranger import Rearranger
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.strategy import RopeStrategy

CHOOSES_FACTOR = ("factor", "reserve_text")  # fields of a strategy that say no more than the factor itself
UNUSED = {"visual": False, "temperature": None}  # fields that ranges were calibrated without, before there were any


def origin_of(
    model: Model, rearranger: Rearranger, strategy: RopeStrategy, budget: Budget, rotation: Rotation
) -> Origin:
    """Of a prefix by these parts. The first call hashes all weights, later ones of the same model do not."""
    told = {key: value for key, value in asdict(strategy).items() if key not in CHOOSES_FACTOR}
    parameters = {key: value for key, value in told.items() if key not in UNUSED or value != UNUSED[key]}
    return Origin(
        model=model.name,
        weights=_weights(model),
        encoder=_option(model.encoder),
        budget=""
        if isinstance(budget, NoBudget)
        else f"{_option(budget)} {json.dumps(asdict(budget), sort_keys=True)}",
        rearranger=_option(rearranger),
        frames=sum(span.is_frame for span in rotation.layout.spans) * model.encoder.frames_per_slot,
        strategy=strategy.name,
        rope_parameters=json.dumps(parameters, sort_keys=True),
        factor=float(rotation.factor),
        attention_scale=float(strategy.scale(rotation.geometry, rotation.factor)),
        own_table=hashlib.sha256(json.dumps(own).encode()).hexdigest() if (own := rotation.geometry.own) else "",
    )


def _weights(model: Model) -> str:
    both = weights_hash(model.llm) + weights_hash(model.encoder)
    return hashlib.sha256(both.encode()).hexdigest()


def _told(budget: Budget) -> str:
    return f"{_option(budget)} {json.dumps(asdict(budget), sort_keys=True)}"


def _option(part: object) -> str:
    """The option of conf/ that it is: options and modules have the same names."""
    return type(part).__module__.rpartition(".")[2]
