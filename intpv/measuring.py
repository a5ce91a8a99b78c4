"""Measuring: what of a video is measured beside its answers. Off costs nothing: nothing here is even called."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jaxtyping import Float
from torch import Tensor

from intpv.asking import Answer
from intpv.attention_kl.answers import lost_answers
from intpv.attention_kl.attention_kl import AttentionKL, Tokens, subject, teacher_forced
from intpv.attention_kl.measured import Measured
from intpv.attention_kl.passes import grouped
from intpv.data.item import VideoItem
from intpv.errors import BadInput
from intpv.measure.memory import Memory
from intpv.scorer.scorer import Scorer
from intpv.signs import signs
from intpv.trained_length import Shown, TrainedLength
from intpv.video.error import VideoError
from intpv.viewing import Viewer
from intpv.watched import Prefill, VideoContext

log = logging.getLogger(__name__)

REFERENCES = ("same_rope_full_kv", "trained_length", "both")


@dataclass(frozen=True)
class Asked:
    """A video of the run that has been watched and asked."""

    item: VideoItem
    prefill: Prefill
    context: VideoContext
    answers: Sequence[Answer]


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """Which measures, and their settings; a key of conf/measure each."""

    attention_kl: bool | str = False
    reference: str = "same_rope_full_kv"
    signatures: bool | str = False
    sinks: int = 4  # tokens at the start of the prefix whose mass is reported apart
    visual_rows: int = 0
    seed: int = 0  # of the sample of visual rows
    memory: Memory | None = None

    def __post_init__(self) -> None:
        for name in ("attention_kl", "signatures"):
            if not isinstance(value := getattr(self, name), bool):
                raise BadInput(f"measure.{name} must be true or false, got {value}: measure=full sets attention_kl")
        if self.reference not in REFERENCES:
            raise BadInput(f"measure.reference must be one of {', '.join(REFERENCES)}, got {self.reference}")
        for name in ("sinks", "visual_rows", "seed"):
            if not isinstance(value := getattr(self, name), int) or isinstance(value, bool) or value < 0:
                raise BadInput(f"measure.{name} must be a whole number of at least 0, got {value}")

    @property
    def is_on(self) -> bool:
        """Whether a video is measured beyond answers and memory."""
        return self.attention_kl or self.signatures

    def measure(self, viewer: Viewer, baseline: TrainedLength, scorer: Scorer, asked: Asked) -> Measured:
        """All that is asked for of one video, which `viewer` shows as the run saw it."""
        found = Measured()
        if not asked.item.questions:
            return found

        @cache
        def tokens() -> Float[Tensor, "F *P D"]:
            return viewer.video_llm.tokens(viewer.view(asked.item).features, asked.item.id)

        if self.attention_kl and self.reference != "trained_length":
            kl = AttentionKL(sinks=self.sinks, visual_rows=self.visual_rows, seed=self.seed)
            texts = [question.text for question in asked.item.questions]
            found, answers = kl.measure(viewer.video_llm, asked.prefill, asked.context, texts, tokens)
            found |= Measured(listed={"answers": lost_answers(answers, asked.answers, asked.item.questions, scorer)})
        if self.signatures or (self.attention_kl and self.reference != "same_rope_full_kv"):
            found |= self._to_trained_length(viewer, baseline, scorer, asked, tokens)
        return found

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
        room = max(map(len, rows))
        sums = grouped(
            subject(baseline.video_llm, shown.context, room, self.sinks),
            subject(viewer.video_llm, asked.context, room, self.sinks),
            rows,
        )
        found = Measured()
        if self.attention_kl and self.reference != "same_rope_full_kv":
            lost = lost_answers(answers, asked.answers, questions, scorer)
            found |= Measured({"grouped": sums}, {"grouped/answers": lost})
        if self.signatures:
            ours = Shown(tokens(), asked.context)
            valid = tuple(
                [scorer.score(answer.text, question).valid for answer, question in zip(of, questions, strict=True)]
                for of in (asked.answers, answers)
            )
            order = viewer.video_llm.order(viewer.num_frames, asked.item.id)
            found |= Measured(listed={"signatures": signs(viewer.video_llm, ours, shown, sums, valid, order)})
        return found
