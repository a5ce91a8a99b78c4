"""Laws of a budget: what is left of a video is as much as was told before, and stands where it stood."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from intpv.budget.budget import Budget, Kept
from intpv.budget.frame_tokens import FrameTokens
from intpv.check.finding import Check, Wrong, all_finite, equal
from intpv.check.shown_model import QUESTIONS, Subject
from intpv.video_llm.video_llm import VideoLLM

GROUPS = 4  # of the tower's, of which the video is made
VIDEO = "check"
AT_ONCE, CLOSE = 3, 1e-5  # frames that a rule is shown at a time; that rounding may change of a token


def checks(budget: Budget, subject: Callable[[], Subject]) -> list[Check]:
    """All of them need a model's tokens; a budget may refuse a model whose frames it cannot take."""
    laws: dict[str, Callable[[Budget, Subject], str]] = {
        "as many as expected": as_expected,
        "in order of time": places_rise,
        "same video, same tokens": reduced_again,
        "some frames at a time": in_parts,
        "watched by the model": asked_of_it,
    }
    return [Check(name, partial(_of, law, budget, subject), may_refuse=True) for name, law in laws.items()]


def _of(law: Callable[[Budget, Subject], str], budget: Budget, subject: Callable[[], Subject]) -> str:
    return law(budget, subject())


def _shown(budget: Budget, subject: Subject) -> tuple[VideoLLM, torch.Tensor, int]:
    llm, frames = replace(subject.llm, budget=budget), GROUPS * subject.group_frames
    return llm, llm.tokens(llm.look(subject.pixels(frames), VIDEO), VIDEO, frames), frames


def _reduced(budget: Budget, subject: Subject) -> tuple[Kept, list[tuple[int, ...]], int]:
    """What is left, what was expected, and tokens of a whole frame."""
    _, tokens, _ = _shown(budget, subject)
    whole = subject.tokens.shape[1]
    return budget.reduce(tokens, VIDEO), budget.expected(len(tokens), whole), whole


def as_expected(budget: Budget, subject: Subject) -> str:
    """Costs and factors are told before there is a video: as many tokens in all."""
    kept, expected, _ = _reduced(budget, subject)
    told = sum(map(len, expected))
    equal("tokens left", len(kept.tokens), told, "expected")
    if kept.places is not None:
        equal("places", sum(map(len, kept.places)), told, "expected")
        equal("frames", len(kept.places), len(expected), "expected")
    return f"{told} tokens of {len(expected)} frames"


def places_rise(budget: Budget, subject: Subject) -> str:
    """Places are those of the whole frame, each once and rising."""
    kept, expected, whole = _reduced(budget, subject)
    for frame, places in enumerate(kept.places or expected):
        if list(places) != sorted(set(places)) or not set(places) <= set(range(whole)):
            raise Wrong(f"frame {frame} has places {list(places)[:8]}, must rise inside 0 to {whole - 1}")
    return f"inside frames of {whole} tokens"


def reduced_again(budget: Budget, subject: Subject) -> str:
    """A cache and a resumed run rely on it."""
    one, other = (_reduced(budget, subject)[0] for _ in range(2))
    if one.places != other.places or not torch.equal(one.tokens, other.tokens):
        raise Wrong("the same video twice leaves other tokens")
    return "asked twice"


def in_parts(budget: Budget, subject: Subject) -> str:
    """A long video's tokens are never all there at once: what is left is the same."""
    _, tokens, frames = _shown(budget, subject)
    kept, parts = budget.reduce(tokens, VIDEO), budget.reduce_parts(FrameTokens.of(tokens, AT_ONCE), VIDEO)
    left = torch.cat([parts.of(range(frame, frame + 1)) for frame in range(len(tokens))])
    if parts.places != kept.places or left.shape != kept.tokens.shape:
        raise Wrong(f"{AT_ONCE} frames at a time leave other tokens than all {frames}")
    most = float((left - kept.tokens).abs().max())
    if most > CLOSE:
        raise Wrong(f"{AT_ONCE} frames at a time leave tokens {most:.1e} off those of all {frames}, must be {CLOSE}")
    return f"{AT_ONCE} frames and {frames}"


def asked_of_it(budget: Budget, subject: Subject) -> str:
    """A question is answered of what is left."""
    llm, tokens, frames = _shown(budget, subject)
    context = llm.watch(subject.pixels(frames), subject.times(frames), VIDEO)
    (answer,) = llm.ask(context, QUESTIONS[:1])
    all_finite("logits", answer.kept_logits)
    return f"{context.layout.visual_length} of {tokens.shape[0] * subject.tokens.shape[1]} tokens are left"
