"""Watch and ask: asking changes nothing, packed is one by one, and all of it is what one plain forward would give."""

import pickle
from dataclasses import dataclass, replace

import pytest
import torch

from intpv.errors import BadInput, Unaskable
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.model.model import Prompt
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.rope_strategy.yarn import YarnScaling
from intpv.video_llm.video_llm import VideoLLM

from ..largest_allocation import LargestAllocation
from ..tiny import PROMPT, clip, tiny_model

QUESTIONS = ["Did red flash?", "Which color flashed first?", "Did red flash before or after blue?"]
OPTIONS = [("yes", "no"), ("red", "blue", "light green"), ()]
STRATEGIES = [NoScaling(), LinearScaling(), NTKScaling(), YarnScaling(), VisualOnlyScaling()]
INT2 = KVQuant(bits=2, key_group=32, value_group=32)


@dataclass(frozen=True, kw_only=True)
class LinearThroughPositions(RopeStrategy):
    """The paper's Eq 3.5 as it is written: positions over s, frequencies untouched."""

    def positions(self, layout, factor):
        return super().positions(layout, factor) / factor


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def build(model, rope=None, kv=None, rearranger=None, **more) -> VideoLLM:
    return VideoLLM(model, rearranger or Strided(), rope or NoScaling(), kv or NoQuant(), **more)


def plain_logits(llm: VideoLLM, frames, question: str, answer: tuple[int, ...] = ()) -> torch.Tensor:
    """Logits after question and answer from one forward of it all, with nothing of ours but the encoder."""
    model = llm.model
    ids = model.tokenizer(model.prompt.before_video).input_ids
    asked = model.tokenizer(model.prompt.question(question), add_special_tokens=False).input_ids
    embed = model.llm.get_input_embeddings()
    tokens = llm.tokens(llm.look(frames)).flatten(0, 1)
    row = torch.cat([embed(torch.tensor(ids)), tokens, embed(torch.tensor([*asked, *answer]))])
    with torch.no_grad():
        return model.llm(inputs_embeds=row[None]).logits[0, -1 - len(answer) :]


@pytest.mark.parametrize("kv", [NoQuant(), INT2])
def test_asking_changes_nothing(model, kv):
    llm = build(model, kv=kv)
    context = llm.watch(*clip(16))
    first = llm.ask(context, QUESTIONS[:1])[0].logits
    llm.ask(context, QUESTIONS[1:], OPTIONS[1:])
    assert torch.equal(llm.ask(context, QUESTIONS[:1])[0].logits, first)


@pytest.mark.parametrize("rope", STRATEGIES)
def test_packed_equals_one_by_one(model, rope):
    llm = build(model, rope)
    context = llm.watch(*clip(32))
    packed = llm.ask(context, QUESTIONS, OPTIONS)
    for question, options, answer in zip(QUESTIONS, OPTIONS, packed, strict=True):
        alone = llm.ask(context, [question], [options])[0]
        torch.testing.assert_close(answer.logits, alone.logits, atol=1e-5, rtol=1e-5)
        assert answer.tokens == alone.tokens
        assert answer.loglik == pytest.approx(alone.loglik, abs=1e-5)


def test_watch_and_ask_equal_one_plain_forward(model):
    llm, (frames, times) = build(model), clip(16)
    answers = llm.ask(llm.watch(frames, times), QUESTIONS, OPTIONS)
    for question, options, answer in zip(QUESTIONS, OPTIONS, answers, strict=True):
        torch.testing.assert_close(answer.logits, plain_logits(llm, frames, question)[-1], atol=1e-5, rtol=1e-5)
        for option, loglik in zip(options, answer.loglik, strict=True):
            ids = tuple(model.tokenizer(option, add_special_tokens=False).input_ids)
            logp = plain_logits(llm, frames, question, ids)[:-1].log_softmax(-1)
            assert loglik == pytest.approx(sum(logp[i, token].item() for i, token in enumerate(ids)), abs=1e-4)


def test_greedy_generation_follows_the_plain_forward(model):
    llm, (frames, times) = build(model, max_new_tokens=5), clip(8)
    for question, answer in zip(QUESTIONS, llm.ask(llm.watch(frames, times), QUESTIONS), strict=True):
        said = (*answer.tokens, model.tokenizer.eos_token_id)
        expected = plain_logits(llm, frames, question, said[: len(answer.tokens)]).argmax(-1).tolist()
        assert list(said)[:5] == expected[:5]
        logp = plain_logits(llm, frames, question, said[: len(answer.tokens)]).log_softmax(-1)
        chosen = logp[torch.arange(5)[: len(said)], list(said)[:5]].sum()
        assert answer.confidence == pytest.approx(chosen.exp().item(), rel=1e-3)


def test_linear_through_positions_equals_linear_through_frequencies(model):
    frames, times = clip(32)
    one, other = (build(model, rope) for rope in (LinearScaling(), LinearThroughPositions()))
    for a, b in zip(
        one.ask(one.watch(frames, times), QUESTIONS), other.ask(other.watch(frames, times), QUESTIONS), strict=True
    ):
        torch.testing.assert_close(a.logits, b.logits, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rope", STRATEGIES)
def test_every_strategy_is_the_baseline_at_the_trained_length(model, rope):
    frames, times = clip(8)
    baseline, scaled = build(model, rearranger=Contiguous()), build(model, rope)
    expected = baseline.ask(baseline.watch(frames, times), QUESTIONS)
    got = scaled.ask(scaled.watch(frames, times), QUESTIONS)
    assert all(torch.equal(a.logits, b.logits) for a, b in zip(expected, got, strict=True))


@pytest.mark.parametrize("rope", STRATEGIES[1:])
def test_every_strategy_changes_the_logits_beyond_it(model, rope):
    frames, times = clip(32)
    none, scaled = build(model), build(model, rope)
    expected = none.ask(none.watch(frames, times), QUESTIONS)[0].logits
    assert (scaled.ask(scaled.watch(frames, times), QUESTIONS)[0].logits - expected).abs().max() > 1e-2


def test_two_bits_change_the_logits_of_an_answer(model):
    frames, times = clip(16)
    full, packed = build(model), build(model, kv=INT2)
    expected = full.ask(full.watch(frames, times), QUESTIONS)[0].logits
    assert (packed.ask(packed.watch(frames, times), QUESTIONS)[0].logits - expected).abs().max() > 1e-2


def test_the_model_is_restored_after_an_exception(model, monkeypatch):
    llm, rotary = build(model, YarnScaling()), model.rotary
    table, scaling, attention = rotary.inv_freq, rotary.attention_scaling, model.decoder.config._attn_implementation
    context = llm.watch(*clip(32))
    monkeypatch.setattr(model.tokenizer, "decode", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        llm.ask(context, QUESTIONS)
    assert rotary.inv_freq is table
    assert rotary.attention_scaling == scaling
    assert model.decoder.config._attn_implementation == attention


def test_text_after_the_video_is_part_of_the_prefix(model):
    padded = replace(model, prompt=Prompt(PROMPT.before_video, "which color", PROMPT.ask))
    llm = build(padded)
    context = llm.watch(*clip(8))
    assert context.packed.length == context.layout.length == 5 + 40 + 2
    assert [span.length for span in context.layout.spans if not span.is_frame] == [5, 2]


def test_a_question_longer_than_the_window_is_refused_with_both_lengths(model):
    llm = build(model)
    context = llm.watch(*clip(8))
    with pytest.raises(BadInput, match=r"may have 72 tokens .* got 10\d"):
        llm.ask(context, ["red " * 99])


def test_what_cannot_be_asked_is_named_by_place_and_costs_nobody_else(model):
    """Too long, half a character, an option without tokens (a tokenizer that drops spaces has none for them)."""
    llm = build(model)
    context = llm.watch(*clip(8))
    texts = [QUESTIONS[0], "red " * 99, QUESTIONS[1], "red \udc80", QUESTIONS[2]]
    options = [OPTIONS[0], ("yes",), OPTIONS[1], (), (" ", "red")]
    with pytest.raises(Unaskable, match=r"3 of 5 questions cannot be asked: a question may have 72") as refused:
        llm.ask(context, texts, options)
    reasons = refused.value.reasons
    assert list(reasons) == [1, 3, 4]
    assert "lone surrogate" in reasons[3]
    assert "at least 1 token" in reasons[4]
    assert pickle.loads(pickle.dumps(refused.value)).reasons == reasons
    each, alone = llm.ask_each(context, texts, options), llm.ask(context, texts[::2][:2], options[::2][:2])
    assert {place: each[place] for place in reasons} == reasons
    for place, one in zip((0, 2), alone, strict=True):
        assert each[place].loglik == one.loglik
        assert torch.equal(each[place].logits, one.logits)


def test_asking_allocates_nothing_of_prefix_size(model):
    """One question: its scores (H * R * S) stay below one layer's keys (H_kv * S * d) while H * R < H_kv * d."""
    llm = build(model)
    context = llm.watch(*clip(64))
    keys = context.packed.length * 32
    with LargestAllocation() as watcher:
        llm.ask(context, ["Did?"])
    assert 0 < watcher.largest < keys


def test_an_option_longer_than_an_answer_is_scored(model):
    """Positions reach as far as what is fed: an option may have more tokens than are ever generated."""
    frames, times = clip(8)
    long = " ".join(["red"] * 9)
    short, roomy = build(model, max_new_tokens=2), build(model, max_new_tokens=20)
    scores = [llm.ask(llm.watch(frames, times), QUESTIONS[:1], [("yes", long)])[0].loglik for llm in (short, roomy)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
