"""A video's peaks: exact against the ledger, ordered, and asking costs no prefix per question."""

from dataclasses import replace

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from experiments.bench.attention_kl import peak_bytes
from intpv.cost.memory import Memory
from intpv.kv_quant.kv_quant import NoQuant
from intpv.options import CONF
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

QUESTIONS = ["Did red flash?", "How many flashes were there?", "Which light flashed first?"]


@pytest.fixture(scope="module")
def video_llm():
    return VideoLLM(tiny_model(), Strided(), NoScaling(factor="auto", window="visual"), NoQuant(), 3)


@pytest.fixture(scope="module", params=["none", "int8", "int2"])
def packed(request, video_llm):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        option = instantiate(compose(f"kv_quant/{request.param}").kv_quant)
    return replace(video_llm, kv_quant=option)


@pytest.fixture(scope="module")
def found(packed):
    return measure(packed)


@pytest.fixture(scope="module")
def prefix(packed):
    return packed.watch(*clip(32)).packed


def measure(video_llm, frames=32, questions=QUESTIONS):
    return Memory(on_cpu=True).measure(video_llm, *clip(frames), "v", questions)


def test_watching_leaves_what_the_ledger_says_to_the_byte(found, prefix):
    kv = prefix.ledger()["total"]
    assert found["memory/held_bytes"] == found["memory/weights_bytes"] + found["memory/tower_bytes"] + kv


def test_peaks_are_what_is_held_and_activations(found):
    found = {name.removeprefix("memory/").removesuffix("_bytes"): size for name, size in found.items()}
    for part in ("watch", "ask"):
        assert found[f"{part}_activations"] > 0
        assert found[f"{part}_peak"] == found["held"] + found[f"{part}_activations"]
    assert found["peak"] == max(found["watch_peak"], found["ask_peak"])


def test_a_question_more_takes_no_prefix_more(video_llm):
    """Only its own rows, and their scores against a prefix that all of them share."""
    dense = video_llm.watch(*clip(64)).packed.full_precision_bytes
    few, many = (measure(video_llm, 64, QUESTIONS[:1] * count)["memory/ask_activations_bytes"] for count in (1, 5))
    assert 0 < many - few < 4 * dense / 4


@torch.inference_mode()
def test_watching_agrees_with_the_allocators_own_count(video_llm):
    found, (pixels, times) = measure(video_llm), clip(32)

    def watch():
        return video_llm.read(video_llm.look(pixels.clone()), times)

    counted = found["memory/watch_peak_bytes"] - found["memory/weights_bytes"] - found["memory/tower_bytes"]
    assert 0.8 * peak_bytes(watch) <= counted <= peak_bytes(watch)


def test_answers_are_the_same_and_it_is_off_on_a_cpu_unless_asked_for(video_llm):
    context = video_llm.watch(*clip(32))
    before = video_llm.ask(context, QUESTIONS)
    measure(video_llm)
    after = video_llm.ask(context, QUESTIONS)
    assert [answer.tokens for answer in before] == [answer.tokens for answer in after]
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert [Memory(on_cpu=on).on(device) for on in (False, True) for device in (cpu, cuda)] == [False, True, True, True]
