"""Scaling: a RoPE strategy is the identity at factor 1, changes the prefix at factor 4, and leaves nothing behind."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import torch

from intpv.check.finding import Check, Wrong
from intpv.check.shown_model import Subject, largest_difference
from intpv.errors import BadInput
from intpv.rope_strategy.strategy import RopeStrategy

FACTOR = 4.0


def checks(subject: Subject, strategies: Mapping[str, RopeStrategy]) -> list[Check]:
    """A check for each strategy, by its option's name: the identity at factor 1, something else at FACTOR."""
    return [
        Check(f"rope_strategy={name}", partial(_scales, subject, one), may_refuse=True)
        for name, one in strategies.items()
    ]


def at_factor(strategy: RopeStrategy) -> RopeStrategy:
    """With FACTOR, or with 1 where it does not scale."""
    try:
        return replace(strategy, factor=FACTOR)
    except BadInput:
        return replace(strategy, factor=1.0)


def _scales(subject: Subject, strategy: RopeStrategy) -> str:
    rotary = subject.model.rotary
    tables = {name: (table, table.clone()) for name, table in rotary.named_buffers()}
    scaling, forward = getattr(rotary, "attention_scaling", None), vars(rotary).get("forward")
    unscaled = replace(subject.llm, rope_strategy=replace(strategy, factor=1.0))
    if moved := largest_difference(subject.prefilled(unscaled), subject.prefill):
        raise Wrong(f"at factor 1 keys and values move by {moved:.3g}, must by 0")
    try:
        scaled = replace(strategy, factor=FACTOR)
    except BadInput as error:
        said = f"factor {FACTOR:g} is refused ({error})"
    else:
        moved = largest_difference(subject.prefilled(replace(subject.llm, rope_strategy=scaled)), subject.prefill)
        if not moved > 0:
            raise Wrong(f"at factor {FACTOR:g} keys and values move by {moved:g}, must by more than 0")
        said = f"at {FACTOR:g} keys and values move by {moved:.3g}"
    if vars(rotary).get("forward") is not forward:
        raise Wrong("the rotary module's forward is another one afterwards than before")
    after = dict(rotary.named_buffers())
    for name, (table, values) in tables.items():
        if after.get(name) is not table:
            raise Wrong(f"the rotary module's {name} is another tensor afterwards than the one before")
        if not torch.equal(table, values):
            raise Wrong(f"afterwards {name} is off by {float((table - values).abs().max()):.3g}")
    if getattr(rotary, "attention_scaling", None) != scaling:
        raise Wrong(f"afterwards attention_scaling is {rotary.attention_scaling}, was {scaling}")
    return f"identity at factor 1; {said}; restored"
