"""Scaling: a RoPE strategy is the identity at factor 1, changes the prefix at factor 4, and leaves nothing behind."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import torch

from intpv.check.finding import Check, Wrong
from intpv.check.subject import Subject, largest_difference
from intpv.errors import BadInput
from intpv.rope_strategy.strategy import RopeStrategy

FACTOR = 4.0


def checks(subject: Subject, strategies: Mapping[str, RopeStrategy]) -> list[Check]:
    return [Check(f"rope_strategy={name}", partial(_scales, subject, one)) for name, one in strategies.items()]


def _scales(subject: Subject, strategy: RopeStrategy) -> str:
    rotary = subject.model.rotary
    table, values, scaling = rotary.inv_freq, rotary.inv_freq.clone(), rotary.attention_scaling
    same = subject.prefilled(replace(subject.llm, rope_strategy=replace(strategy, factor=1.0)))
    if moved := largest_difference(same, subject.prefill):
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
    if rotary.inv_freq is not table:
        raise Wrong("the rotary module's inv_freq is another tensor afterwards than the one before")
    if not torch.equal(table, values) or rotary.attention_scaling != scaling:
        moved = float((table - values).abs().max())
        raise Wrong(
            f"afterwards inv_freq is off by {moved:.3g}, attention_scaling {rotary.attention_scaling}, {scaling}"
        )
    return f"identity at factor 1; {said}; restored"
