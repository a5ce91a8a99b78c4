"""Attention KL of one watched video: the quantised context against the same prefix in full precision, same rotation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.passes import both, sample, visual_rows
from intpv.attention_kl.report import Measured
from intpv.attention_kl.subject import Rows, Subject
from intpv.attention_kl.sums import HeadSums
from intpv.encoder.prefix_pieces import words
from intpv.errors import BadInput
from intpv.hf.rotary import applied
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.kv_quant import NoQuant
from intpv.video_llm.asking import Answer
from intpv.video_llm.context import Prefill, VideoContext
from intpv.video_llm.video_llm import VideoLLM

Tokens = Callable[[], Float[Tensor, "F *P D"]]  # a video's tokens, for those who need them


@dataclass(frozen=True, kw_only=True)
class AttentionKL:
    """Reference `same_rope_full_kv`; query rows are the questions' tokens and, teacher-forced, its own answers'."""

    sinks: int = 4  # tokens at the start of the prefix whose mass is reported apart
    visual_rows: int = 0  # so many of the video's own tokens as further query rows, measured apart
    seed: int = 0  # of their sample
    floors: bool = True  # also what rounding alone makes of identical caches: half of the time

    def measure(
        self,
        video_llm: VideoLLM,
        prefill: Prefill,
        context: VideoContext,
        questions: Sequence[str],
        tokens: Tokens | None = None,
    ) -> tuple[Measured, list[Answer]]:
        """What the context loses against its own prefill, and the reference's answers, from the dense prefix.

        `context` is `video_llm.pack(prefill)`; neither is changed. `tokens` are read for visual rows alone. BadInput
        for no questions, for a prefix that was cut as it was read, and for visual rows where layers keep tokens of
        their own or tokens do not see all before them.
        """
        if not questions:
            raise BadInput("attention KL needs at least 1 question, got 0")
        packed = context.packed
        if prefill.kept is not None:
            raise BadInput(
                f"attention KL needs the whole prefix of {context.layout.length} tokens, kv_evict.early=true leaves "
                f"{packed.length}: kv_evict.early=false, or measure.reference=trained_length"
            )
        if self.visual_rows and packed.kept is not None:
            raise BadInput(
                f"visual_rows={self.visual_rows} reads a prefix up to a token, here each layer keeps {packed.length} "
                f"of {packed.kept.shape[1]} tokens (kv_evict): visual_rows=0 does without"
            )
        partition = context.rotation.partition
        if self.visual_rows and partition is not None and partition.order is not None:
            raise BadInput(
                f"visual_rows={self.visual_rows} takes a visual token to see all before it, under rope_strategy="
                f"{context.rotation.strategy.name} it does not: visual_rows=0 does without"
            )
        is_changed = packed.quantised_fraction > 0 or packed.kept is not None  # else it is its own reference
        whole = replace(video_llm, kv_quant=NoQuant(), kv_evict=NoEvict())
        dense = whole.pack(prefill) if is_changed else context
        answers = video_llm.ask(dense, questions)
        rows = teacher_forced(video_llm, questions, answers)
        reference, modified = (subject(video_llm, one, self.sinks) for one in (dense, context))
        sums = both(reference, modified, rows, self.floors)
        if self.visual_rows:
            if tokens is None:
                raise BadInput(f"visual_rows={self.visual_rows} needs the video's tokens, got none")
            more = self._visual(video_llm, context, reference, modified, tokens())
            sums |= {f"visual_rows/{scope}": found for scope, found in more.items()}
        return Measured(sums), answers

    def _visual(
        self, video_llm: VideoLLM, context: VideoContext, reference: Subject, modified: Subject, tokens: Tensor
    ) -> dict[str, HeadSums]:
        layout = context.layout
        embeddings, beside = video_llm.model.encoder.inputs(tokens, layout)
        if beside:
            raise BadInput(f"visual rows need a decoder that is given embeddings alone, got also {', '.join(beside)}")
        drawn, places = sample(layout, self.visual_rows, self.seed)
        return visual_rows(reference, modified, places, embeddings[drawn])


def teacher_forced(video_llm: VideoLLM, questions: Sequence[str], answers: Sequence[Answer]) -> Rows:
    """Each question's tokens and behind them its answer's: the same for every model that is compared."""
    tokenizer, prompt = video_llm.model.tokenizer, video_llm.model.prompt
    behind = video_llm.model.encoder.behind
    ids = [words(tokenizer, prompt.question(question), behind).ids for question in questions]
    return [torch.tensor([*asked, *answer.tokens]) for asked, answer in zip(ids, answers, strict=True)]


def subject(video_llm: VideoLLM, context: VideoContext, sinks: int) -> Subject:
    """A context of VideoLLM, under its own rotation."""
    layout, model = context.layout, video_llm.model
    rotated = partial(applied, model.rotary, context.rotation)
    groups, kept = KeyGroups.of(layout, sinks), context.packed.kept
    return Subject(model.decoder, context.packed, groups, layout.length, rotated, kept)
