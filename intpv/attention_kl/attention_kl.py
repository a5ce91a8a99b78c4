"""Attention KL of one watched video: the quantised context against the same prefix in full precision, same rotation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from intpv.asking import Answer
from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.measured import Measured
from intpv.attention_kl.passes import end_to_end, local
from intpv.attention_kl.recut import Recut
from intpv.attention_kl.subject import Rows, Subject
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rope_strategy.apply import applied
from intpv.video_llm import VideoLLM
from intpv.watched import Prefill, VideoContext


@dataclass(frozen=True, kw_only=True)
class AttentionKL:
    """Reference `same_rope_full_kv`; query rows are the questions' tokens and, teacher-forced, its own answers'."""

    sinks: int = 4  # tokens at the start of the prefix whose mass is reported apart

    def measure(
        self, video_llm: VideoLLM, prefill: Prefill, context: VideoContext, questions: Sequence[str]
    ) -> tuple[Measured, list[Answer]]:
        """What the context loses against its own prefill, and the reference's answers, from the dense prefix.

        `context` is `video_llm.pack(prefill)`; neither is changed. BadInput for no questions.
        """
        if not questions:
            raise BadInput("attention KL needs at least 1 question, got 0")
        dense = replace(video_llm, kv_quant=NoQuant()).pack(prefill)
        answers = video_llm.ask(dense, questions)
        rows = teacher_forced(video_llm, questions, answers)
        room = max(len(row) for row in rows)
        reference, modified = (subject(video_llm, one, room, self.sinks) for one in (dense, context))
        recut = replace(reference, prefix=Recut.of(reference.prefix))
        measured = Measured(
            local=local(reference, modified.prefix, rows),
            end_to_end=end_to_end(reference, modified, rows),
            local_floor=local(reference, reference.prefix, rows, dtype=torch.float64),
            end_to_end_floor=end_to_end(reference, recut, rows),
        )
        return measured, answers


def teacher_forced(video_llm: VideoLLM, questions: Sequence[str], answers: Sequence[Answer]) -> Rows:
    """Each question's tokens and behind them its answer's: the same for every model that is compared."""
    tokenizer, prompt = video_llm.model.tokenizer, video_llm.model.prompt
    ids = [tokenizer(prompt.question(question), add_special_tokens=False).input_ids for question in questions]
    return [torch.tensor([*asked, *answer.tokens]) for asked, answer in zip(ids, answers, strict=True)]


def subject(video_llm: VideoLLM, context: VideoContext, room: int, sinks: int) -> Subject:
    """A context of VideoLLM, with positions for rows of up to `room` tokens, under its own rotation."""
    layout, rope, model = context.layout, video_llm.rope_strategy, video_llm.model
    positions = rope.positions(layout.ask(room), context.factor)[0, layout.length :]
    turned = partial(applied, model.rotary, rope, context.geometry, context.factor)
    groups = KeyGroups.of(layout, sinks)
    return Subject(model.decoder, context.packed, groups, positions.to(video_llm.device), turned)
