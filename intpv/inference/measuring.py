"""Measuring: what of a video is measured beside its answers. Off costs nothing: nothing here is even called."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.attention.rules import beyond_plain
from intpv.attention_kl.attention_kl import AttentionKL, Tokens, subject, teacher_forced
from intpv.attention_kl.passes import grouped
from intpv.attention_kl.report import Measured, lost_answers
from intpv.attention_kl.sums import HeadSums, Listed
from intpv.cost.memory import Memory
from intpv.data.benchmark import VideoItem
from intpv.errors import VideoError
from intpv.inference.trained_length import Shown, TrainedLength
from intpv.inference.viewing import Viewer
from intpv.layout import Layout
from intpv.metrics.settings import MeasuringSettings
from intpv.metrics.signatures.time_probe import moments
from intpv.metrics.signatures.token_order import Slots, seams
from intpv.metrics.signatures.verdicts import BASELINE, RUN
from intpv.scorer.scorer import Scorer
from intpv.video_llm.asking import Answer
from intpv.video_llm.context import Prefill, VideoContext
from intpv.video_llm.video_llm import VideoLLM

# Signs: what one video leaves for the failure signatures (measure/signatures/figures.py), run and baseline apart.


def signs(
    video_llm: VideoLLM,
    ours: Shown,
    usual: Shown,
    attention: HeadSums,
    valid: tuple[list[bool], list[bool]],
    order: Int[Tensor, "m N"],
) -> Listed:
    """One value each; the run's `order` tells how `ours` was grouped, `attention` is the pass `grouped` from `usual` to
    `ours`, `valid` says of both sides' answers whether they are any. What a tower without time cannot show is left out.
    """
    values = {"questions": float(len(valid[0])), "log_times_longer": math.log(len(ours.tokens) / len(usual.tokens))}
    span = _times(usual.context.layout)
    stacks = {}
    for side, shown, model, said in ((RUN, ours, "modified", valid[0]), (BASELINE, usual, "reference", valid[1])):
        values[f"invalid/{side}"] = 1 - sum(said) / len(said)
        values[f"entropy/{side}"] = float(attention.mean(f"entropy/{model}").mean())
        moment, mass = (float(attention.sums[f"{name}/{model}"].sum()) for name in ("time_moment", "video_mass"))
        values[f"time_centroid/{side}"] = moment / mass if mass else 0.5  # no mass at all is no drift
        times = _shares(_times(shown.context.layout), span)
        stacks[f"probe/{side}"] = moments(shown.tokens.flatten(1, -2), times)[None]
    if video_llm.model.encoder.mixes_time:
        slots = Slots.of(order, video_llm.rearranger.restore)
        at_borders, within = seams(ours.tokens.flatten(1, -2), slots)
        frames = len(usual.tokens)
        unbroken = Slots(torch.zeros(frames, dtype=torch.long), torch.arange(frames))
        _, inside = seams(usual.tokens.flatten(1, -2), unbroken)
        if inside is not None:  # N > 1
            beside = inside if within is None else within
            values[f"seam/{RUN}"] = 0.0 if at_borders is None else at_borders - beside  # one group has no border
            values[f"seam/{BASELINE}"] = inside
        values |= {f"slot_order/{RUN}": slots.order, f"slot_order/{BASELINE}": unbroken.order}
    return Listed.of({**{name: [value] for name, value in values.items()}, **stacks})


def _times(layout: Layout) -> Float[Tensor, " F"]:
    return torch.tensor([span.time for span in layout.spans if span.is_frame], dtype=torch.float64)


def _shares(times: Float[Tensor, " F"], span: Float[Tensor, " N"]) -> Float[Tensor, " F"]:
    """Seconds as shares of the span of others; 0 for a span without length."""
    length = span.max() - span.min()
    return (times - span.min()) / length if length > 0 else torch.zeros_like(times)


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A video of the run that has been watched and asked."""

    item: VideoItem
    prefill: Prefill | None  # where `reads_prefill`
    context: VideoContext
    answers: Sequence[Answer]


@dataclass(frozen=True, kw_only=True)
class Measuring(MeasuringSettings):
    """The measures of a video that has been watched and asked."""

    memory: Memory | None = None

    @property
    def is_on(self) -> bool:
        """Whether a video is measured beyond answers and memory."""
        return bool(self.attention_kl or self.signatures)

    @property
    def reads_prefill(self) -> bool:
        """Whether the prefix in full precision is compared with the packed one."""
        return bool(self.attention_kl) and self.reference != "trained_length"

    def chosen(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Of these videos the ones that are measured: a draw that depends on nothing but the ids, so that every cell
        measures the same ones, whatever the order of a benchmark is."""
        drawn = sorted(ids, key=lambda video_id: sha256(video_id.encode()).digest())
        return tuple(drawn[: self.videos] if self.is_on else ())

    def measure(
        self, viewer: Viewer, baseline: TrainedLength, scorer: Scorer, asked: Asked, floors: bool = True
    ) -> Measured:
        """All that is asked for of one video, which `viewer` shows as the run saw it; `floors`: see AttentionKL."""
        found = Measured()
        if not asked.item.questions or not self._is_comparable(viewer, asked):
            return found

        @cache
        def tokens() -> Float[Tensor, "F *P D"]:
            return viewer.video_llm.tokens(viewer.view(asked.item).features, asked.item.id, viewer.num_frames)

        if self.reads_prefill:
            assert asked.prefill is not None
            kl = AttentionKL(sinks=self.sinks, visual_rows=self.visual_rows, seed=self.seed, floors=floors)
            texts = [question.text for question in asked.item.questions]
            found, answers = kl.measure(viewer.video_llm, asked.prefill, asked.context, texts, tokens)
            found |= Measured(listed={"answers": lost_answers(answers, asked.answers, asked.item.questions, scorer)})
        if self.signatures or (self.attention_kl and self.reference != "same_rope_full_kv"):
            found |= self._to_trained_length(viewer, baseline, scorer, asked, tokens)
        return found

    def _is_comparable(self, viewer: Viewer, asked: Asked) -> bool:
        """False, under a warning, for a video with a question that ends beyond the decoder's sliding window."""
        video_llm = viewer.video_llm
        if not beyond_plain(video_llm.model.decoder):
            return True
        rows = teacher_forced(video_llm, [question.text for question in asked.item.questions], asked.answers)
        length = asked.context.layout.length + max(map(len, rows)) + video_llm.max_new_tokens
        if more := beyond_plain(video_llm.model.decoder, length):
            log.warning("%s: not measured: prefix, question and answer take %d tokens, %s", asked.item.id, length, more)
        return not more

    def _to_trained_length(
        self, viewer: Viewer, baseline: TrainedLength, scorer: Scorer, asked: Asked, tokens: Tokens
    ) -> Measured:
        questions = asked.item.questions
        try:
            shown = baseline.watch(asked.item)
        except VideoError as error:
            log.warning("%s: not compared with the trained length: %s", asked.item.id, error)
            return Measured()
        texts = [question.text for question in questions]
        answers = baseline.video_llm.ask(shown.context, texts)
        rows = teacher_forced(baseline.video_llm, texts, answers)
        sums = grouped(
            subject(baseline.video_llm, shown.context, self.sinks),
            subject(viewer.video_llm, asked.context, self.sinks),
            rows,
        )
        found = Measured()
        if self.attention_kl and self.reference != "same_rope_full_kv":
            lost = lost_answers(answers, asked.answers, questions, scorer)
            found |= Measured({"grouped": sums}, {"grouped/answers": lost})
        if self.signatures:
            ours = Shown(tokens(), asked.context)
            valid, usually = (
                [scorer.score(answer.text, question).valid for answer, question in zip(of, questions, strict=True)]
                for of in (asked.answers, answers)
            )
            order = viewer.video_llm.order(viewer.num_frames, asked.item.id)
            found |= Measured(
                listed={"signatures": signs(viewer.video_llm, ours, shown, sums, (valid, usually), order)}
            )
        return found
