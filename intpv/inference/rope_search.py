"""Rope search: a factor for every channel of RoPE, found by differential evolution on clips that no test has."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from intpv.attention_kl.report import answer_kl
from intpv.data.benchmark import Benchmark, VideoItem
from intpv.errors import BadInput, VideoError
from intpv.inference.calibrating import split_apart
from intpv.inference.trained_length import TrainedLength
from intpv.inference.viewing import Clips, Loaded, View, Viewer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.llama3 import Llama3Scaling
from intpv.rope_strategy.longrope import LongRopeScaling
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.ntk_by_parts import NTKByPartsScaling
from intpv.rope_strategy.yarn import YarnScaling
from intpv.video_llm.video_llm import VideoLLM

Factors = tuple[float, ...]  # lambda of each of d/2 channels
OBJECTIVES = ("accuracy", "answer_kl")
# rules whose factors the search begins with: what it finds is at least as good on its clips
STARTS = {
    "none": NoScaling(),
    "linear": LinearScaling(),
    "ntk": NTKScaling(),
    "ntk_by_parts": NTKByPartsScaling(),
    "yarn": YarnScaling(),
    "llama3": Llama3Scaling(),
}
POPULATION = 16
REACH = 1.25  # times s: the largest factor that is tried, as in arXiv 2402.13753


@dataclass(frozen=True)
class Found:
    """The best factors, what the objective is at them and at those of the known rules, lower being better."""

    factors: Factors
    value: float
    starts: dict[str, float]
    evaluations: int


@dataclass(frozen=True)
class SearchedRope:
    """What was found for a model at a number of frames, and on which split."""

    found: Found
    factor: float  # s
    split: str


class _Spent(Exception):
    """Raised where the budget is spent: it ends scipy's search."""


def search_factors(
    objective: Callable[[Factors], float], starts: Mapping[str, Factors], most: float, budget: int, seed: int
) -> Found:
    """Minimise over factors from 1 to `most` that grow from channel to channel, as in arXiv 2402.13753, by at most
    `budget` evaluations, those of `starts` first. BadInput for a budget that is smaller than these.
    """
    from scipy.optimize import differential_evolution

    _check_budget(budget, starts)
    values: dict[Factors, float] = {}

    def tried(factors: Factors) -> float:
        if factors not in values:
            if len(values) == budget:
                raise _Spent
            values[factors] = objective(factors)
        return values[factors]

    known = {name: tried(_rounded(factors)) for name, factors in starts.items()}
    rules, high = np.log([np.clip(factors, 1, most) for factors in starts.values()]), math.log(most)
    shape = POPULATION - len(rules), rules.shape[1]
    drawn = np.sort(np.random.default_rng(seed).uniform(0, high, shape), axis=1)
    with suppress(_Spent):
        differential_evolution(
            lambda logs: tried(_rounded(np.exp(np.sort(logs)).tolist())),
            [(0, high)] * rules.shape[1],
            init=np.concatenate([rules, drawn]),
            maxiter=budget,
            tol=0,
            polish=False,
            seed=seed,
        )
    best = min(values, key=values.__getitem__)
    return Found(best, values[best], known, len(values))


def _check_budget(budget: int, starts: Mapping[str, object]) -> None:
    if budget < len(starts):
        least = f"{len(starts)}, the known rules that a search begins with"
        raise BadInput(f"budget must be at least {least}, got {budget}")


def _rounded(factors: Sequence[float]) -> Factors:
    """As they are written down: what is saved is what was measured."""
    return tuple(float(f"{one:.4g}") for one in factors)


@torch.inference_mode()
def search_rope(
    viewer: Viewer, benchmark: Benchmark, objective: str, videos: int, budget: int, seed: int
) -> SearchedRope:
    """Over `videos` clips of the benchmark's calibration split; the other fields of the viewer's longrope stay.

    Objectives: `accuracy`, 1 - restricted accuracy; `answer_kl`, nats from the answers at the trained length, which
    needs no label. BadInput where that split is the benchmark's own, where a clip cannot be read, and where nothing is
    scaled or not all clips alike.
    """
    llm = replace(viewer.video_llm, kv_quant=NoQuant(), max_new_tokens=1)
    rule, usual = llm.rope_strategy, None if objective == "accuracy" else TrainedLength.of(viewer)
    if not isinstance(rule, LongRopeScaling) or objective not in OBJECTIVES:
        raise BadInput(f"longrope's factors are searched by {' or '.join(OBJECTIVES)}, got {rule} and {objective}")
    _check_budget(budget, STARTS)  # before any clip is watched
    apart = split_apart(benchmark, videos, closed=usual is None)
    clips = [_clip(viewer, loaded, usual) for loaded in Clips(apart.items(), viewer, lambda item: True)]
    rotations = [llm.prefill(clip.view.features, clip.view.timestamps, clip.item.id).rotation for clip in clips]
    if len(factors := {rotation.factor for rotation in rotations}) > 1:
        raise BadInput(f"all clips must have one factor s, got {', '.join(f'{one:g}' for one in sorted(factors))}")
    geometry, factor = rotations[0].geometry, rotations[0].factor
    if factor == 1:
        raise BadInput(f"frames must be more than the model was trained on: at {viewer.num_frames} nothing is scaled")
    found = search_factors(
        lambda given: _loss(replace(llm, rope_strategy=replace(rule, long_factor=given)), clips),
        {name: _factors_of(known.inv_freq(geometry, factor), geometry) for name, known in STARTS.items()},
        REACH * factor,
        budget,
        seed,
    )
    return SearchedRope(found, factor, apart.split)


@dataclass(frozen=True)
class _Clip:
    item: VideoItem
    view: View
    usual: list[Tensor] | None  # logits of its answers at the trained length, (V,) each


def _clip(viewer: Viewer, loaded: Loaded, usual: TrainedLength | None) -> _Clip:
    if loaded.error:
        raise BadInput(loaded.error)
    item, view = loaded.item, viewer.view(loaded.item, loaded.frames)
    if usual is None:
        return _Clip(item, view, None)
    try:
        context = usual.watch(item).context
    except VideoError as error:
        raise BadInput(str(error)) from None
    answers = usual.video_llm.ask(context, [question.text for question in item.questions])
    return _Clip(item, view, [answer.kept_logits for answer in answers])


def _loss(llm: VideoLLM, clips: Sequence[_Clip]) -> float:
    """The mean over questions, lower being better."""
    losses: list[float] = []
    for clip in clips:
        context = llm.read(clip.view.features, clip.view.timestamps, clip.item.id)
        texts, options = ([getattr(one, name) for one in clip.item.questions] for name in ("text", "options"))
        if clip.usual is None:
            answers = zip(llm.ask(context, texts, options, keep_logits=False), clip.item.questions, strict=True)
            losses += [float(asked.options[answer.choice or 0] != asked.answer) for answer, asked in answers]
        else:
            pairs = zip(clip.usual, llm.ask(context, texts), strict=True)
            losses += [float(answer_kl(usual, answer.kept_logits)) for usual, answer in pairs]
    return sum(losses) / len(losses)


def _factors_of(table: Tensor, geometry: RopeGeometry) -> Factors:
    """How many times slower than in training each channel turns; 1 for one that does not."""
    trained = baseline_inv_freq(geometry).double()
    return tuple(torch.where(trained > 0, trained / table.double(), 1.0).tolist())
