"""Rotation: the law that a model rotates each token by its strategy's `angles`, seen at its layers, not before."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from intpv.check.finding import Check, Wrong
from intpv.check.scaling import at_factor
from intpv.check.shown_model import QUESTIONS, Subject
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.video_llm.video_llm import VideoLLM

STEPS = 3  # tokens of an answer: those after the first are fed one by one
NOISE = 1e-6  # of cos and sin in float32

Seen = list[tuple[int, Tensor, Tensor]]  # layer, cos and sin (n, columns) that it was handed


def checks(subject: Subject, strategies: Mapping[str, RopeStrategy]) -> list[Check]:
    """A check for each strategy, by its option's name: what layers rotate by against its `angles`, in rad."""
    return [
        Check(f"angles of {name}", partial(_rotates, subject, one), may_refuse=True) for name, one in strategies.items()
    ]


def _rotates(subject: Subject, strategy: RopeStrategy) -> str:
    strategy = at_factor(strategy)
    off = largest_rotation_error(subject, replace(subject.llm, rope_strategy=strategy))
    return f"prefill, question and answer rotate by them at factor {strategy.factor:g}: cos and sin to {off:.1g}"


def largest_rotation_error(subject: Subject, llm: VideoLLM) -> float:
    """The largest difference between what layers rotate by and `angles`, in a prefill, a question and steps after it.

    Raises Wrong where it is more than rounding, where the prefix depends on its question, and for a decoder whose
    layers are not told what to rotate by.
    """
    with handed_to_layers(llm.model.decoder) as seen:
        prefill = subject.prefilled(llm)
        context, row = llm.pack(prefill), subject.question(QUESTIONS[0]).ids
        replace(llm, max_new_tokens=STEPS).ask(context, QUESTIONS[:1])
    rotation, length = prefill.rotation, prefill.layout.length
    strategy, asked = llm.rope_strategy, prefill.layout.ask(len(row) + STEPS)
    angles = strategy.angles(asked, prefill.geometry, prefill.factor)
    before = strategy.angles(prefill.layout, prefill.geometry, prefill.factor)
    if not torch.equal(angles[:length], before):
        moved = float((angles[:length] - before).abs().max())
        raise Wrong(f"a question behind the prefix changes its angles by {moved:.3g} rad, must by 0")
    expected = {rotation.own.layer_type: (angles, rotation.scale, prefill.geometry)}
    for fixed, geometry in rotation.own.fixed.items():
        expected[fixed] = RopeStrategy().angles(asked, geometry, 1.0), geometry.own_scale, geometry
    types = getattr(llm.model.decoder.config, "layer_types", None) or ()
    fed, worst = [0] * len(_layers(llm.model.decoder)), 0.0
    for layer, cos, sin in seen:
        kind = None if None in expected else types[layer]
        first, fed[layer] = fed[layer], fed[layer] + len(cos)
        worst = max(worst, _off(*expected[kind], range(first, fed[layer]), cos, sin, f"layer {layer}"))
    if min(fed) < length + len(row):
        raise Wrong(f"a layer was told of {min(fed)} tokens, fed were {length + len(row)} at least")
    return worst


@contextmanager
def handed_to_layers(decoder: nn.Module) -> Iterator[Seen]:
    """Inside, what every layer is told to rotate by is kept. Wrong for layers that are told nothing."""
    seen: Seen = []

    def keep(index: int, args: tuple, named: dict) -> None:
        given = named.get("position_embeddings")
        if not (isinstance(given, tuple) and len(given) == 2):
            raise Wrong(f"layer {index} is handed no cos and sin as position_embeddings: what it rotates by is unknown")
        seen.append((index, *(one[0].detach().cpu() for one in given)))

    hooks = [
        layer.register_forward_pre_hook(lambda _, args, named, i=index: keep(i, args, named), with_kwargs=True)
        for index, layer in enumerate(_layers(decoder))
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _layers(decoder: nn.Module) -> nn.ModuleList:
    return cast(nn.ModuleList, decoder.layers)  # torch's hint is whatever a module may hold


def _off(
    angles: Tensor, scale: float, geometry: RopeGeometry, tokens: range, cos: Tensor, sin: Tensor, where: str
) -> float:
    """How far cos and sin of these tokens are from those of `angles`, in float64."""
    columns = list(geometry.columns or tuple(range(angles.shape[1])) * 2)
    exact = angles[tokens.start : tokens.stop, columns].double()
    off = max(float((a.double() - b * scale).abs().max()) for a, b in ((cos, exact.cos()), (sin, exact.sin())))
    allowed = (NOISE + torch.finfo(cos.dtype).eps) * scale
    if not off <= allowed:
        raise Wrong(
            f"tokens {tokens.start} to {tokens.stop - 1}: {where} rotates by cos and sin that are off by {off:.3g} "
            f"from those of the strategy's angles, may be by {allowed:.3g}"
        )
    return off
