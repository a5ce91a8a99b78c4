"""What is built at its first use is in no video's seconds: the first one is asked once before the clock."""

from types import SimpleNamespace

import pytest
import torch

from intpv.cache.memory import FirstCome
from intpv.cache.no_cache import NoCache
from intpv.data.benchmark import Benchmark, Question, VideoItem
from intpv.inference import inference
from intpv.inference.inference import Inference
from intpv.inference.viewing import Loaded, View, Viewer
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.scorer.contains import Contains
from intpv.video.reader import VideoReader
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

BUILDING = 100.0  # seconds


class Two(Benchmark):
    name = "two"

    def items(self) -> list[VideoItem]:
        questions = [(Question(f"{name}/0", "any", "did red flash ?", (), "yes"),) for name in "ab"]
        return [VideoItem(name, name, asked) for name, asked in zip("ab", questions, strict=True)]


@pytest.mark.parametrize("fused", [True, False])
def test_the_first_video_is_timed_as_the_second(monkeypatch, fused):
    llm, clock, asked = VideoLLM(tiny_model(), Strided(), VisualOnlyScaling(), option("kv_quant", "int2")), [0.0], []
    ask = VideoLLM.ask_each

    def slow_at_first(self, *args, **kwargs):
        clock[0] += 1.0 if asked else BUILDING
        asked.append(args[1])
        return ask(self, *args, **kwargs)

    monkeypatch.setattr(VideoLLM, "ask_each", slow_at_first)
    monkeypatch.setattr(inference, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(inference, "chosen", lambda layer, device: "compiled" if fused else "eager")
    frames, times = clip(16)
    seen = View(llm.look(frames), times, tuple(range(16)), 0.0, 0.0, 0.0, fetched=False)
    viewer = Viewer(llm, VideoReader(), NoCache(), 16)
    monkeypatch.setattr(Viewer, "view", lambda self, item, frames: seen)
    benchmark = Two()
    items = benchmark.items()
    module = Inference(viewer, Contains(), benchmark, FirstCome(0))
    with torch.inference_mode():
        first, second = (module.predict_step(Loaded(item), None).figures["time/ask_s"] for item in items)
    assert second == 1.0
    assert first == (1.0 if fused else BUILDING)  # nothing is built on the plain path of a CPU: asked once
    assert len(asked) == 2 + fused
