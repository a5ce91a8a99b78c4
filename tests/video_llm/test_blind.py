"""Blind: without a frame the prefix is the prompt's text, and answers are what transformers gives for it alone."""

import pytest
import torch

from intpv.cache.no_cache import NoCache
from intpv.data.benchmark import VideoItem
from intpv.errors import BadInput
from intpv.inference.viewing import Viewer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.yarn import YarnScaling
from intpv.video.reader import VideoReader
from intpv.video_llm.video_llm import VideoLLM
from tests.tiny import tiny_model

QUESTIONS = ["first color ?", "how many colors ?"]


@pytest.fixture(scope="module")
def llm():
    return VideoLLM(tiny_model(), Strided(), YarnScaling(), NoQuant(), max_new_tokens=4)


@pytest.fixture
def view(llm):
    viewer = Viewer(llm, VideoReader(blind=True), NoCache(), num_frames=32)
    item = VideoItem("nowhere", "no/such/file.mp4", ())
    assert viewer.is_ready(item)
    return viewer.view(item)


def test_the_answers_are_those_of_the_text_alone(llm, view):
    context = llm.read(view.features, view.timestamps)
    assert context.layout == llm.prefix_layout(0)
    assert context.layout.visual_length == 0
    assert context.factor == 1.0
    prompt, tokenizer = llm.model.prompt, llm.model.tokenizer
    for question, answer in zip(QUESTIONS, llm.ask(context, QUESTIONS), strict=True):
        text = [prompt.before_video, prompt.after_video, prompt.question(question)]
        first, *rest = (tokenizer(part, add_special_tokens=place == 0).input_ids for place, part in enumerate(text))
        ids = torch.tensor([[*first, *(token for part in rest for token in part)]])
        with torch.inference_mode():
            logits = llm.model.llm(input_ids=ids).logits[0, -1]
        torch.testing.assert_close(answer.kept_logits, logits, atol=1e-4, rtol=1e-4)


def test_packed_at_once_or_later_it_is_the_same(llm, view):
    whole = llm.pack(llm.prefill(view.features, view.timestamps))
    assert llm.ask(whole, QUESTIONS)[0].text == llm.ask(llm.read(view.features, view.timestamps), QUESTIONS)[0].text


def test_a_blind_reader_reads_nothing():
    with pytest.raises(BadInput, match=r"video.blind=true reads no video, got a.mp4 to read"):
        VideoReader(blind=True).read("a.mp4", 8)
    with pytest.raises(BadInput, match=r"video.blind must be true or false, got 1"):
        VideoReader(blind=1)
