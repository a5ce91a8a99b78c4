"""Laws of an eviction: the cap is kept in every layer, text stays, and the bytes are those it says."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from intpv.check.finding import Check, Wrong, all_finite, equal
from intpv.check.shown_model import QUESTIONS, Subject
from intpv.errors import BadInput
from intpv.kv_evict.kv_evict import TEXT, KVEvict, frames_and_places
from intpv.kv_evict.none import NoEvict
from intpv.video_llm.context import VideoContext
from intpv.video_llm.video_llm import VideoLLM

GROUPS = 4  # of the tower's, of which the video is made
VIDEO = "check"


def checks(rule: KVEvict | NoEvict, subject: Callable[[], Subject]) -> list[Check]:
    """All of them need a model's prefix."""
    laws: dict[str, Callable[[KVEvict | NoEvict, Subject], str]] = {
        "cap and text are kept": cap_is_kept,
        "bytes": told_bytes,
        "same video, same tokens": evicted_again,
        "questions are answered": answered_from_it,
    }
    return [Check(name, partial(_of, law, rule, subject), may_refuse=True) for name, law in laws.items()]


def _of(
    law: Callable[[KVEvict | NoEvict, Subject], str], rule: KVEvict | NoEvict, subject: Callable[[], Subject]
) -> str:
    return law(rule, subject())


def _watched(rule: KVEvict | NoEvict, subject: Subject) -> tuple[VideoLLM, VideoContext]:
    """BadInput where there is nothing to evict: a law of nothing says nothing."""
    llm, frames = replace(subject.llm, kv_evict=rule), GROUPS * subject.group_frames
    context = llm.watch(subject.pixels(frames), subject.times(frames), VIDEO)
    if context.packed.kept is None and not isinstance(rule, NoEvict):
        raise BadInput(f"the cap is above the prefix that it is tried on, {context.layout.length} tokens: lower it")
    return llm, context


def cap_is_kept(rule: KVEvict | NoEvict, subject: Subject) -> str:
    """As many tokens as the cap leaves, in every layer."""
    llm, context = _watched(rule, subject)
    count, layout = llm.packing_rules.capacity(context.layout), context.layout
    if context.packed.kept is None or count is None:
        return f"all of {layout.length} tokens"
    counts = context.packed.kept.sum(1).tolist()
    equal("layers keep", counts, [count] * len(counts), "the cap leaves")
    text = frames_and_places(layout)[0] == TEXT
    if not context.packed.kept[:, text].all():
        raise Wrong(f"text is evicted, {int((~context.packed.kept[:, text]).sum())} tokens over all layers")
    return f"{count} of {layout.length} tokens in each of {len(counts)} layers, {int(text.sum())} of text among them"


def told_bytes(rule: KVEvict | NoEvict, subject: Subject) -> str:
    """Told before there is a prefix, and held."""
    llm, context = _watched(rule, subject)
    held, rules = context.packed.ledger()["total"], llm.packing_rules
    equal("bytes held", held, rules.nbytes(context.layout, rules.capacity(context.layout)), "told")
    return f"{held} bytes"


def evicted_again(rule: KVEvict | NoEvict, subject: Subject) -> str:
    """A resumed run relies on it."""
    one, other = (_watched(rule, subject)[1].packed.kept for _ in range(2))
    if one is not None and other is not None and not torch.equal(one, other):
        raise Wrong(f"the same video twice leaves other tokens, {int((one != other).sum())} of them")
    return "watched twice"


def answered_from_it(rule: KVEvict | NoEvict, subject: Subject) -> str:
    """From what is left."""
    llm, context = _watched(rule, subject)
    (answer,) = llm.ask(context, QUESTIONS[:1])
    all_finite("logits", answer.kept_logits)
    return f"from {int(context.packed.length)} tokens"
