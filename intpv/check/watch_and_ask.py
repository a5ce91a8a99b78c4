"""Answering: watch and ask are one plain forward of the decoder, and a prefix knows nothing of what is asked."""

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.check.finding import Check, Wrong
from intpv.check.shown_model import QUESTIONS, Subject, largest_difference
from intpv.encoder.prefix_pieces import embeddings_of, layout_of
from intpv.rope_strategy.strategy import position_ids
from intpv.video_llm.context import Prefill

TOLERANCE = 1e-4  # of the largest logit, in float32
ROUNDINGS = 8  # units in the last place of the largest logit, in less


def checks(subject: Subject) -> list[Check]:
    """Two checks: logits of watch and ask against one forward, and a prefix that no question changes."""
    return [
        Check("one plain forward", lambda: _plain(subject)),
        Check("prefix without question", lambda: _independent(subject)),
    ]


def _plain(subject: Subject) -> str:
    expected = [plain_logits(subject, question) for question in QUESTIONS]
    context = subject.llm.pack(subject.prefill)
    answers = subject.llm.ask(context, QUESTIONS)
    off = max(float((a.kept_logits.float() - b.float()).abs().max()) for a, b in zip(answers, expected, strict=True))
    largest = max(float(one.float().abs().max()) for one in expected)
    allowed = max(TOLERANCE, ROUNDINGS * torch.finfo(expected[0].dtype).eps * (expected[0].itemsize < 4)) * largest
    if not off <= allowed:
        raise Wrong(f"logits of watch and ask are off by {off:.3g}, may be by {allowed:.3g} (largest {largest:.3g})")
    return f"logits off by {off:.2g} of {largest:.3g}"


def plain_logits(subject: Subject, question: str) -> Float[Tensor, " vocabulary"]:
    """Prefix and question as one row, through the model's own attention, without any cache."""
    model, pieces, asked = subject.model, subject.pieces(), subject.question(question)
    layout = layout_of(pieces).ask(len(asked.ids))
    visual, beside = model.encoder.inputs(subject.tokens, layout)
    row = embeddings_of([*pieces, asked], visual, model.llm.get_input_embeddings())
    positions = subject.llm.rope_strategy.positions(layout, 1.0)
    # where they are counted one by one the decoder numbers them itself: less of ours in the judge
    counted = len(positions) == 1 and torch.equal(positions[0], torch.arange(layout.length).float())
    given = {} if counted else {"position_ids": position_ids(positions).to(row.device)}
    mask = torch.ones(1, layout.length, dtype=torch.long, device=row.device)
    out = model.decoder(inputs_embeds=row[None], attention_mask=mask, use_cache=False, **given, **beside)
    return model.llm.get_output_embeddings()(out.last_hidden_state[0, -1])


def _independent(subject: Subject) -> str:
    """Ask one question, another, the first again: neither the prefix that is there nor a new one may know."""
    llm, prefill = subject.llm, subject.prefill
    before = Prefill([(keys.clone(), values.clone()) for keys, values in prefill.layers], prefill.rotation)
    context = llm.pack(prefill)
    first, _, again = (llm.ask(context, [question])[0].kept_logits for question in (*QUESTIONS, QUESTIONS[0]))
    if moved := largest_difference(prefill, before):
        raise Wrong(f"asking changes the prefix by {moved:.3g}, must by 0")
    if moved := largest_difference(subject.prefilled(llm), before):
        raise Wrong(f"a prefix watched after a question differs by {moved:.3g}, must by 0")
    if not torch.equal(first, again):
        moved = float((first - again).abs().max())
        raise Wrong(f"a question asked again after another has logits off by {moved:.3g}, must be by 0")
    return "the same, bit for bit, before and after 2 questions"
