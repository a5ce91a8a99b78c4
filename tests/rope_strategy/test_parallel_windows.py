"""Parallel windows against their definition, pair by pair in float64, and against the video that they take apart."""

from dataclasses import replace

import pytest
import torch

from intpv.attention import segments
from intpv.attention.prefix import prefix_attention
from intpv.attention_kl.attention_kl import AttentionKL
from intpv.budget.drop_repeated import DropRepeated
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span
from intpv.model.model import Prompt
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.parallel_windows import ParallelWindows
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.video_llm.video_llm import VideoLLM

from ..hf.distances import ByDistance, unrotated
from ..tiny import clip, tiny_model

QUESTIONS = ["Did red flash?", "Did red flash before or after blue?"]
GEOMETRY = RopeGeometry(32, 100.0, 40)


@pytest.fixture(scope="module")
def model():
    """With text behind the video too."""
    return tiny_model(prompt=Prompt("Watch the video:", "red blue", "USER: {question} ASSISTANT:"))


def definition(layout: Layout, count: int, more: int, as_one: bool):
    """Of prefix and `more` tokens: each one's position, and what a key counts for to a query, (n, n)."""
    frames = [span for span in layout.spans if span.is_frame]
    window, positions, frame, stands = [], [], 0, 0
    first = next(index for index, span in enumerate(layout.spans) if span.is_frame)
    for index, span in enumerate(layout.spans):
        if span.is_frame:
            window += [frame % count] * span.length
            places = span.places or range(span.length)
            width = span.length if span.advance is None else span.advance
            positions += [stands + frame // count * width + place for place in places]
            frame += 1
        else:
            window += [-1 if index < first else count] * span.length
            if index > first:  # behind the longest window
                stands += -(-len(frames) // count) * (frames[0].advance or frames[0].length)
            positions += range(stands, stands := stands + span.length)
    window += [count] * more
    positions += range(stands, stands + more)
    of, places = torch.tensor(window), torch.tensor(positions)
    inside = (of >= 0) & (of < count)
    seen = (of < 0) | (of == of[:, None]) | (of[:, None] == count)
    weight = torch.where((of[:, None] == count) & inside, 1 / count if as_one else 1.0, 1.0)
    return places, (seen.tril() * weight).double()


def judge_of(model, layout: Layout, count: int, as_one: bool = True) -> ByDistance:
    places, weight = definition(layout, count, 60, as_one)
    return ByDistance(model.llm, lambda m, k: places[m] - places[k], weight=lambda m, k: weight[m, k])


@pytest.mark.parametrize("as_one", [True, False])
@pytest.mark.parametrize("frames", [16, 24, 32])
def test_prefill_and_answers_are_the_definition(model, frames, as_one):
    llm = VideoLLM(model, Strided(), ParallelWindows(as_one=as_one), NoQuant(), max_new_tokens=4)
    pixels, times = clip(frames)
    features = llm.look(model.preprocess.fit(pixels))
    rotation, given = llm.prefix_rules.prefix(llm.tokens(features), times.tolist(), "")
    judge = judge_of(model, rotation.layout, frames // 8, as_one)
    _, past = judge.read(given["inputs_embeds"][0])
    prefill = llm.prefill(features, times)
    for (keys, values), (k, v) in zip(prefill.layers, past, strict=True):
        torch.testing.assert_close(unrotated(keys, rotation.unrotation, 1.0), k, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(values.double(), v, atol=1e-4, rtol=1e-4)
    for question, answer in zip(QUESTIONS, llm.ask(llm.pack(prefill), QUESTIONS), strict=True):
        asked = model.tokenizer(model.prompt.question(question), add_special_tokens=False).input_ids
        row = model.llm.get_input_embeddings()(torch.tensor([*asked, *answer.tokens]))
        logits, _ = judge.read(row, past)
        torch.testing.assert_close(answer.logits.double(), logits[len(asked) - 1], atol=1e-4, rtol=1e-4)
        likeliest = logits[len(asked) - 1 :].argmax(-1).tolist()
        assert likeliest[: len(answer.tokens)] == list(answer.tokens)


@pytest.mark.parametrize("kv", [NoQuant(), KVQuant(bits=2, key_group=32, value_group=32)], ids=["none", "int2"])
def test_a_packed_prefix_is_read_by_the_definition(model, kv):
    llm = VideoLLM(model, Strided(), ParallelWindows(), kv, max_new_tokens=4)
    context = llm.watch(*clip(32))
    judge, past = judge_of(model, context.layout, 4), []
    for layer in context.packed.layers:
        keys, values = (torch.cat(x, 1) for x in zip(*layer.blocks(), strict=True))
        past.append((unrotated(keys, context.rotation.unrotation, 1.0), values.double()))
    for question, answer in zip(QUESTIONS, llm.ask(context, QUESTIONS), strict=True):
        asked = model.tokenizer(model.prompt.question(question), add_special_tokens=False).input_ids
        logits, _ = judge.read(model.llm.get_input_embeddings()(torch.tensor(asked)), past)
        torch.testing.assert_close(answer.logits.double(), logits[-1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kv", [NoQuant(), KVQuant(bits=2, key_group=32, value_group=32)], ids=["none", "int2"])
def test_all_of_a_packed_prefix_is_read_by_the_path_of_kv_quant_decode(model, kv, monkeypatch):
    """Not block by block, whatever text weighs beside the windows: the answers are the same either way."""
    llm, read = VideoLLM(model, Strided(), ParallelWindows(), kv, max_new_tokens=4), []
    context = llm.watch(*clip(32))

    def spied(q, layer, *more):
        read.append(layer.length)
        return prefix_attention(q, layer, *more)

    monkeypatch.setattr(segments, "prefix_attention", spied)
    quick = llm.ask(context, QUESTIONS)
    assert set(read) == {context.layout.length}
    monkeypatch.setattr(segments, "_least_weight", lambda parts, length: 0.0)
    read.clear()
    for one, other in zip(quick, llm.ask(context, QUESTIONS), strict=True):
        torch.testing.assert_close(one.logits, other.logits, atol=1e-5, rtol=1e-5)
    assert set(read) == {context.layout.spans[0].length}  # the text before


@pytest.mark.parametrize("times", [2, 8])
def test_frames_shown_several_times_answer_as_shown_once(model, times):
    """Bytes are W times as many, answers the same: only frames that tell something new can change them."""
    pixels, seconds = clip(8)
    usual = VideoLLM(model, Strided(), RopeStrategy(), NoQuant(), max_new_tokens=4)
    windows = replace(usual, rope_strategy=ParallelWindows())
    once = usual.ask(usual.watch(pixels, seconds), QUESTIONS)
    context = windows.watch(pixels.repeat_interleave(times, 0), torch.arange(8 * times) / times)
    assert context.factor == times
    for one, other in zip(once, windows.ask(context, QUESTIONS), strict=True):
        torch.testing.assert_close(one.logits, other.logits, atol=1e-4, rtol=1e-4)
    apart = replace(windows, rope_strategy=ParallelWindows(as_one=False))
    moved = [
        (one.logits - other.logits).abs().max()
        for one, other in zip(once, apart.ask(apart.watch(*_repeated(pixels, times)), QUESTIONS), strict=True)
    ]
    assert max(moved) > 0.01


def _repeated(pixels, times):
    return pixels.repeat_interleave(times, 0), torch.arange(8 * times) / times


def test_under_a_budget_that_keeps_positions(model):
    llm = VideoLLM(model, Strided(), ParallelWindows(), NoQuant(), 4, DropRepeated(keep=0.5, positions="keep"))
    pixels, times = clip(32)
    prefill = llm.prefill(llm.look(model.preprocess.fit(pixels)), times)
    assert prefill.factor == 4.0
    places, _ = definition(prefill.layout, 4, 0, True)
    assert torch.equal(prefill.rotation.partition.kept(torch.arange(prefill.layout.length)), places)


@pytest.mark.parametrize("factor", [1.5, 4.0, 7.3, 100.0])
def test_no_position_outgrows_the_windows(factor):
    """Text in the middle goes with the frame before it; there are no more windows than frames."""
    frames = [Span(5, time=float(index)) for index in range(32)]
    layout = Layout((Span(3), *frames[:7], Span(1), *frames[7:], Span(2)))
    partition = ParallelWindows().partition(layout, GEOMETRY, factor)
    count = min(-int(-factor // 1), 32)
    kept = partition.kept(torch.arange(layout.length + 1))
    longest = -(-32 // count) * 5
    assert kept[-1] in (3 + longest + 2, 3 + longest + 3)  # one window has the text
    assert partition.segments[2].weight == 1 / count
    assert sorted(partition.order.tolist()) == list(range(layout.length))


def test_every_key_that_is_seen_is_in_one_segment():
    frames = [Span(5, time=float(index)) for index in range(16)]
    layout = Layout((Span(3), *frames, Span(2)))
    partition = ParallelWindows().partition(layout, GEOMETRY, 4.0)
    tokens = torch.arange(layout.length + 6)
    counted, seen = partition.counted(tokens), torch.zeros(len(tokens), len(tokens))
    for one in partition.segments:
        within = (counted >= one.first(counted)[:, None]) & (counted < one.stop(counted)[:, None])
        seen += within * one.weight
    _, expected = definition(layout, 4, 6, True)
    assert torch.equal(seen.double(), expected)
    assert partition.pairs(layout.length) == (expected[: layout.length, : layout.length] > 0).sum()


def test_a_video_without_frames_is_text_alone():
    partition = ParallelWindows().partition(Layout((Span(4),)), GEOMETRY, 4.0)
    assert partition.kept(torch.arange(7)).tolist() == list(range(7))


@pytest.mark.parametrize("as_one", ["yes", 1])
def test_refuses_what_is_no_flag(as_one):
    with pytest.raises(BadInput, match=f"rope_strategy.as_one must be true or false, got {as_one}"):
        ParallelWindows(as_one=as_one)


def test_visual_rows_are_refused(model):
    llm = VideoLLM(model, Strided(), ParallelWindows(), KVQuant(bits=4, key_group=32, value_group=32), max_new_tokens=1)
    pixels, times = clip(16)
    features = llm.look(model.preprocess.fit(pixels))
    prefill = llm.prefill(features, times)
    found, _ = AttentionKL().measure(llm, prefill, llm.pack(prefill), QUESTIONS)
    assert found
    with pytest.raises(BadInput, match="visual_rows=3 reads all tokens before one, rope_strategy=parallel_windows"):
        AttentionKL(visual_rows=3).measure(llm, prefill, llm.pack(prefill), QUESTIONS)
