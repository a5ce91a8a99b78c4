"""The closed form of a watched video against torch's own count of its matrix products."""

from dataclasses import replace

import pytest
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from intpv.cost.arithmetic import flops
from intpv.kv_quant.kv_quant import NoQuant
from intpv.options import option
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.parallel_windows import ParallelWindows
from intpv.video_llm.passes import Passes
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

FRAMES = 32


def counted(work):
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        made = work()
    return counter.get_flop_counts(), made


def total(counts, module="Global"):
    return sum(counts[module].values())


@pytest.mark.parametrize("rearranger", ["strided", "overlap", "stretch"])
@pytest.mark.parametrize("budget", ["none", "downsample"])
def test_the_tower_is_what_torch_counts(rearranger, budget):
    budget = option("budget", budget, side=1) if budget == "downsample" else option("budget", budget)
    llm = VideoLLM(tiny_model(), option("rearranger", rearranger), NoScaling(), NoQuant(), budget=budget)
    pixels, times = clip(FRAMES)
    seen, features = counted(lambda: llm.look(pixels))
    projected, _ = counted(lambda: llm.model.encoder.project(features))
    context = llm.read(features, times)
    assert flops(llm, FRAMES, context)["cost/tower_flops"] == total(seen) + total(projected)


@pytest.mark.parametrize("passes", [Passes(), Passes(prefill_tokens=32)])
def test_the_decoder_is_what_torch_counts_without_the_masked_half_and_with_the_head(passes):
    llm = VideoLLM(tiny_model(), option("rearranger", "strided"), NoScaling(), NoQuant(), passes=passes)
    features = llm.look(clip(FRAMES)[0])
    read, context = counted(lambda: llm.read(features, clip(FRAMES)[1]))
    config, length = llm.model.llm.config, context.layout.length
    runs = passes.runs(length)
    masked = sum(len(run) * (len(run) - 1) // 2 for run in runs)
    attention = 4 * config.num_hidden_layers * config.num_attention_heads * config.head_dim
    head = 2 * config.vocab_size * config.hidden_size
    assert flops(llm, FRAMES, context)["cost/prefill_flops"] == total(read, "LlamaModel") - attention * masked + head


def test_pairs_that_a_strategy_hides_are_not_counted():
    """In four windows of a prefix a frame sees a quarter of the frames before it, and the text before all of them."""
    llm = VideoLLM(tiny_model(), option("rearranger", "strided"), ParallelWindows(), NoQuant())
    features, times = llm.look(clip(32)[0]), clip(32)[1]
    windows = llm.read(features, times)
    whole = replace(llm, rope_strategy=NoScaling()).read(features, times)
    before, window = windows.layout.spans[0].length, windows.layout.visual_length // 4
    seen = 4 * (window * (window + 1) // 2 + window * before) + before * (before + 1) // 2
    config, length = llm.model.llm.config, windows.layout.length
    pair = 4 * config.num_hidden_layers * config.num_attention_heads * config.head_dim
    counted = [flops(llm, 32, context)["cost/prefill_flops"] for context in (whole, windows)]
    assert counted[0] - counted[1] == pair * (length * (length + 1) // 2 - seen)


def test_nothing_is_said_of_a_tower_without_a_closed_form_or_of_no_frame():
    llm = VideoLLM(tiny_model("per_frame"), option("rearranger", "strided"), NoScaling(), NoQuant())
    context = llm.watch(*clip(FRAMES))
    assert flops(llm, FRAMES, context) == {}
