"""Questions in portions: the same answers as all at once, in memory that does not grow with their number."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from intpv.attention_kl.attention_kl import subject, teacher_forced
from intpv.attention_kl.passes import end_to_end, grouped, local
from intpv.cost.memory import counting
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.ntk import NTKScaling
from intpv.video_llm import portions as limits
from intpv.video_llm.portions import portions
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

COLOURS = ("red", "green", "blue", "yellow", "cyan")
ALL = 10**4  # rows of a portion that holds every question here
OPTIONS = [("yes", "no"), ("red", "light green", "blue"), ()]


def _asked(count: int) -> SimpleNamespace:
    """Questions of several lengths, with options of one and of two tokens and without."""
    words = [COLOURS[i % len(COLOURS)] for i in range(count)]
    texts = [f"Did {word} flash{' before red' * (i % 3)}?" for i, word in enumerate(words)]
    return SimpleNamespace(texts=texts, options=[OPTIONS[i % 3] for i in range(count)])


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module", params=[NoQuant(), KVQuant(bits=4, key_group=32, value_group=32)], ids=["none", "int4"])
def watched(request, model):
    llm = VideoLLM(model, Strided(), NTKScaling(), request.param)
    return llm, llm.watch(*clip(16))


@pytest.mark.parametrize("most", [1, 7, 20, 1000])
def test_portions_are_all_questions_in_order_and_as_large_as_they_may_be(monkeypatch, most):
    monkeypatch.setattr(limits, "ROWS", most)
    sizes = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
    parts = [sizes[part] for part in portions(sizes)]
    assert [size for part in parts for size in part] == sizes
    assert all(sum(part) <= most or len(part) == 1 for part in parts)
    assert all(sum(part) + after[0] > most for part, after in pairwise(parts))


def test_nothing_to_ask():
    assert list(portions([])) == []


@pytest.mark.slow
def test_answers_are_those_of_one_packed_row(monkeypatch, watched):
    llm, context = watched
    asked = _asked(40)
    monkeypatch.setattr(limits, "ROWS", ALL)
    whole = llm.ask(context, asked.texts, asked.options)
    monkeypatch.setattr(limits, "ROWS", 100)
    cut = llm.ask(context, asked.texts, asked.options)
    assert len(cut) == 40
    for one, other in zip(whole, cut, strict=True):
        assert one.tokens == other.tokens
        assert one.loglik == pytest.approx(other.loglik, abs=1e-4)
        torch.testing.assert_close(one.logits, other.logits, atol=1e-5, rtol=1e-5)


def _peak(llm, context, count: int) -> int:
    asked = _asked(count)
    with counting(llm.device) as taken:
        llm.ask(context, asked.texts, asked.options, keep_logits=False)
    return taken.peak


def test_memory_does_not_grow_with_the_number_of_questions(monkeypatch, model):
    llm = VideoLLM(model, Strided(), NTKScaling(), NoQuant(), max_new_tokens=2)
    context = llm.watch(*clip(16))
    monkeypatch.setattr(limits, "ROWS", 128)
    few, many = _peak(llm, context, 12), _peak(llm, context, 60)
    assert many < 1.2 * few
    monkeypatch.setattr(limits, "ROWS", ALL)
    assert _peak(llm, context, 60) > 5 * many


def test_logits_are_of_last_tokens_and_kept_where_asked_for(watched):
    """No question's tokens but the last are put through the head: R x vocabulary would be the largest tensor of all."""
    llm, context = watched
    seen = []
    hook = llm.model.llm.get_output_embeddings().register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    try:
        without = llm.ask(context, _asked(12).texts, keep_logits=False)
    finally:
        hook.remove()
    assert max(seen) == 12
    assert all(answer.logits is None for answer in without)


@pytest.mark.slow
def test_attention_kl_is_that_of_all_rows_at_once(monkeypatch, model):
    """Sums over rows, whatever the portions; and what is held meanwhile does not grow with the rows."""
    llm = VideoLLM(model, Strided(), NTKScaling(), KVQuant(bits=2, key_group=32, value_group=32), max_new_tokens=2)
    frames, times = clip(16)
    context, dense = (replace(llm, kv_quant=kv).watch(frames, times) for kv in (llm.kv_quant, NoQuant()))
    rows = teacher_forced(llm, (texts := _asked(16).texts), llm.ask(dense, texts))
    reference, modified = (subject(llm, one, 4) for one in (dense, context))
    passes = {
        "local": lambda rows: local(reference, modified.prefix, rows),
        "end_to_end": lambda rows: end_to_end(reference, modified, rows),
        "grouped": lambda rows: grouped(reference, modified, rows),
    }
    monkeypatch.setattr(limits, "ROWS", ALL)
    whole = {name: run(rows[:8]) for name, run in passes.items()}
    monkeypatch.setattr(limits, "ROWS", 40)
    for name, run in passes.items():
        cut = run(rows[:8])
        for key, sums in whole[name].sums.items():
            assert torch.equal(whole[name].rows[key], cut.rows[key])
            if key != "top1_agreement":  # of two keys alike, rounding may choose either
                torch.testing.assert_close(cut.sums[key], sums, atol=1e-3, rtol=1e-3)

    def peak(count: int) -> int:
        with counting(llm.device) as taken:
            end_to_end(reference, modified, rows[:count])
        return taken.peak

    few, many = peak(4), peak(16)
    assert many < 1.2 * few
    monkeypatch.setattr(limits, "ROWS", ALL)
    assert peak(16) > 2 * many
