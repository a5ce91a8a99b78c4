"""Parallel windows against their definition, pair by pair in float64, and against the video that they take apart."""

from dataclasses import replace
from functools import partial

import pytest
import torch

import intpv
from intpv.attention import segments
from intpv.attention.prefix import prefix_attention
from intpv.attention.rules import Places
from intpv.attention.segment_prefill import over_sequence
from intpv.attention.segments import Turning
from intpv.attention_kl.attention_kl import AttentionKL
from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.subject import Subject
from intpv.budget.drop_repeated import DropRepeated
from intpv.errors import BadInput
from intpv.hf.rotary import applied
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span
from intpv.model.model import Prompt
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.parallel_windows import ParallelWindows
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.video_llm.video_llm import VideoLLM

from ..hf.distances import ByDistance, assert_answered, assert_measured_as_attended, past_of, unrotated
from ..tiny import clip, tiny_model
from ..video_llm.test_extend import BEFORE, VIDEO, llava_next_video

QUESTIONS = ["Did red flash?", "Did red flash before or after blue?"]
GEOMETRY = RopeGeometry(32, 100.0, 40)


@pytest.fixture(scope="module")
def model():
    """With text behind the video too."""
    return tiny_model(prompt=Prompt("Watch the video:", "red blue", "USER: {question} ASSISTANT:"))


def definition(layout: Layout, count: int, more: int, weight: float):
    """Of prefix and `more` tokens: each one's position, and what a key counts for to a query, (n, n). Frames are alike;
    `weight` is of theirs to what follows them."""
    frames = [index for index, span in enumerate(layout.spans) if span.is_frame]
    width = layout.spans[frames[0]].advance or layout.spans[frames[0]].length
    window, positions, stands = [], [], 0
    for index, span in enumerate(layout.spans):
        if span.is_frame:
            frame = index - frames[0]
            window += [frame % count] * span.length
            places = range(span.length) if span.places is None else span.places
            positions += [stands + frame // count * width + place for place in places]
        else:
            window += [-1 if index < frames[0] else count] * span.length
            positions += range(stands, stands := stands + span.length)
        if index == frames[-1]:
            stands += -(-len(frames) // count) * width
    window += [count] * more
    positions += range(stands, stands + more)
    of = torch.tensor(window)
    inside = (of >= 0) & (of < count)
    seen = (of < 0) | (of == of[:, None]) | (of[:, None] == count)
    counts = torch.where((of[:, None] == count) & inside, weight, 1.0)
    return torch.tensor(positions), (seen.tril() * counts).double()


def judge_of(llm, layout: Layout, count: int, weight: float) -> ByDistance:
    places, weight = definition(layout, count, 60, weight)
    return ByDistance(llm, lambda m, k: places[m] - places[k], weight=lambda m, k: weight[m, k])


@pytest.mark.parametrize("as_one", [True, False])
@pytest.mark.parametrize("frames", [16, 24, 32])
def test_prefill_and_answers_are_the_definition(model, frames, as_one):
    llm = VideoLLM(model, Strided(), ParallelWindows(as_one=as_one), NoQuant(), max_new_tokens=4)
    pixels, times = clip(frames)
    features = llm.look(model.preprocess.fit(pixels))
    rotation, given = llm.prefix_rules.prefix(llm.tokens(features), times.tolist(), "")
    judge = judge_of(model.llm, rotation.layout, frames // 8, 8 / frames if as_one else 1.0)
    _, past = judge.read(given["inputs_embeds"][0])
    prefill = llm.prefill(features, times)
    for (keys, values), (k, v) in zip(prefill.layers, past, strict=True):
        torch.testing.assert_close(unrotated(keys, rotation.unrotation, 1.0), k, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(values.double(), v, atol=1e-4, rtol=1e-4)
    for question, answer in zip(QUESTIONS, llm.ask(llm.pack(prefill), QUESTIONS), strict=True):
        assert_answered(judge, model, past, question, answer)


@pytest.mark.parametrize("kv", [NoQuant(), KVQuant(bits=2, key_group=32, value_group=32)], ids=["none", "int2"])
def test_a_packed_prefix_is_read_by_the_definition(model, kv):
    llm = VideoLLM(model, Strided(), ParallelWindows(), kv, max_new_tokens=4)
    context = llm.watch(*clip(32))
    judge, past = judge_of(model.llm, context.layout, 4, 0.25), past_of(context.packed, context.rotation)
    for question, answer in zip(QUESTIONS, llm.ask(context, QUESTIONS), strict=True):
        assert_answered(judge, model, past, question, answer)


@pytest.mark.parametrize("kv", [NoQuant(), KVQuant(bits=2, key_group=32, value_group=32)], ids=["none", "int2"])
@pytest.mark.parametrize("as_one", [True, False])
def test_all_of_a_packed_prefix_is_read_by_the_path_of_kv_quant_decode(model, kv, as_one, monkeypatch):
    """Not block by block, whatever text weighs beside the windows: the answers are the same either way."""
    llm, read = VideoLLM(model, Strided(), ParallelWindows(as_one=as_one), kv, max_new_tokens=4), []
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
    repeated = pixels.repeat_interleave(times, 0), torch.arange(8 * times) / times
    context = windows.watch(*repeated)
    assert context.factor == times
    for one, other in zip(once, windows.ask(context, QUESTIONS), strict=True):
        torch.testing.assert_close(one.logits, other.logits, atol=1e-4, rtol=1e-4)
    apart = replace(windows, rope_strategy=ParallelWindows(as_one=False))
    moved = [
        (one.logits - other.logits).abs().max()
        for one, other in zip(once, apart.ask(apart.watch(*repeated), QUESTIONS), strict=True)
    ]
    assert max(moved) > 0.01


def test_attention_kl_weighs_keys_as_attention_does(model):
    llm = VideoLLM(model, Strided(), ParallelWindows(), NoQuant(), max_new_tokens=1)
    context = llm.watch(*clip(32))
    rotated = partial(applied, model.rotary, context.rotation)
    groups = KeyGroups.of(context.layout)
    subject = Subject(model.decoder, context.packed, groups, context.layout.length, rotated)
    assert_measured_as_attended(subject, [torch.arange(5, 12)], atol=1e-5)


def test_an_extended_model_reads_windows_of_its_own_video():
    """Through transformers' own model, 32 frames of 4 tokens, trained on 8, no text between video and question."""
    torch.manual_seed(0)
    model = llava_next_video()[0].eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False).normal_(std=0.3)
    ids = torch.tensor([[*BEFORE, *[VIDEO] * 128, 7, 8, 9, 10]])
    given, seen = {"input_ids": ids, "pixel_values_videos": torch.randn(1, 32, 3, 32, 32)}, {}
    hook = model.get_decoder().register_forward_pre_hook(lambda _, args, named: seen.update(named), with_kwargs=True)
    model(**given)
    hook.remove()
    with intpv.extend(model, frames=32, trained_frames=8, rope="parallel_windows") as extended:
        logits = model(**given).logits[0]
    judge = judge_of(model, extended.context.layout, 4, 0.25)
    expected, _ = judge.read(seen["inputs_embeds"][0])
    torch.testing.assert_close(logits.double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("before", [0, 2])
def test_text_between_frames_and_frames_without_tokens_are_attended_to_by_the_same_rule(before):
    """Dense and in float64, against windows told one by one: text between goes with the frame behind it."""
    lengths = [3, 0, 2, 3, 1, 3, 3, 2]
    spans, of = [Span(before)], [-1] * before
    for frame, length in enumerate(lengths):
        if frame in (1, 4):
            spans.append(Span(2))
            of += [frame % 3] * 2
        spans.append(Span(length, time=float(frame)))
        of += [frame % 3] * length
    layout, length = Layout((*spans, Span(1))), len(of) + 1
    partition = ParallelWindows().partition(layout, RopeGeometry(8, 100.0, 5), 3.0)
    window = torch.tensor([*of, 3])
    seen = ((window < 0) | (window == window[:, None]) | (window[:, None] == 3)).tril()
    weight = torch.where((window[:, None] == 3) & (window >= 0) & (window < 3), 5 / sum(lengths), 1.0)
    q, k, v = torch.randn(3, 2, length, 8, generator=torch.Generator().manual_seed(0))
    places = Places(torch.arange(length), torch.arange(length))
    parts = Turning("parallel_windows", partition, torch.ones(4)).parts(places, torch.device("cpu"))
    out, lse = over_sequence(q, k, v, 0.5, parts)
    logits = (q.double() @ k.double().mT * 0.5 + weight.double().log()).masked_fill(~seen, -torch.inf)
    torch.testing.assert_close(out.double(), logits.softmax(-1) @ v.double(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(lse.double(), logits.logsumexp(-1), atol=1e-5, rtol=1e-5)
    with pytest.raises(
        ValueError, match=f"a partition of {length} tokens is for a sequence of as many, got {length - 1}"
    ):
        over_sequence(q[:, 1:], k[:, 1:], v[:, 1:], 0.5, parts)


@pytest.mark.parametrize(("tokens", "weight"), [(80, 0.5), (40, 1.0), (20, 1.0)])
def test_under_a_budget_what_is_left_weighs_as_much_as_a_video_of_training(model, tokens, weight):
    """Or as it is, where it is less; windows follow from positions, which the budget leaves as they were."""
    budget = DropRepeated(keep=1, tokens=tokens, positions="keep")
    llm = VideoLLM(model, Strided(), ParallelWindows(), NoQuant(), 4, budget)
    pixels, times = clip(32)
    prefill = llm.prefill(llm.look(model.preprocess.fit(pixels)), times)
    assert prefill.factor == 4.0
    assert prefill.rotation.partition.segments[2].weight == weight
    context = llm.pack(prefill)
    judge, past = judge_of(model.llm, prefill.layout, 4, weight), past_of(context.packed, context.rotation)
    (answer,) = llm.ask(context, QUESTIONS[:1])
    assert_answered(judge, model, past, QUESTIONS[0], answer)
    places, _ = definition(prefill.layout, 4, 0, 0.5)
    assert torch.equal(prefill.rotation.partition.kept(torch.arange(prefill.layout.length)), places)


@pytest.mark.parametrize("factor", [1.5, 4.0, 7.3, 100.0])
def test_no_position_outgrows_the_windows(factor):
    """Text in the middle goes with the frame behind it; there are no more windows than frames."""
    frames = [Span(5, time=float(index)) for index in range(32)]
    layout = Layout((Span(3), *frames[:7], Span(1), *frames[7:], Span(2)))
    partition = ParallelWindows().partition(layout, GEOMETRY, factor)
    count = min(-int(-factor // 1), 32)
    kept = partition.kept(torch.arange(layout.length + 1))
    longest = -(-32 // count) * 5
    assert kept[-1] in (3 + longest + 2, 3 + longest + 3)  # one window has the text
    assert partition.segments[2].weight == 0.25  # 160 visual tokens, 40 of training
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
    _, expected = definition(layout, 4, 6, 0.5)
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
    with pytest.raises(
        BadInput, match="visual_rows=3 takes a visual token to see all before it, under rope_strategy=par"
    ):
        AttentionKL(visual_rows=3).measure(llm, prefill, llm.pack(prefill), QUESTIONS)
