"""Laps: parts are timed for a listener and for nobody else; on a real video they are parts of the whole."""

import time

import torch

from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.timing import lap, laps
from intpv.video_llm.video_llm import VideoLLM

from .tiny import clip, tiny_model

CPU = torch.device("cpu")


def test_without_a_listener_no_clock_is_read(monkeypatch):
    def read() -> float:
        raise AssertionError("nobody listens")

    monkeypatch.setattr(time, "perf_counter", read)
    with lap("part", CPU):
        pass


def test_a_listener_gets_each_time_and_no_more_after_it():
    with laps() as taken:
        for _ in range(3):
            with lap("part", CPU):
                pass
    with lap("part", CPU):
        pass
    assert {name: len(seconds) for name, seconds in taken.items()} == {"part": 3}
    assert all(second >= 0 for second in taken["part"])


def test_what_raises_is_not_timed_and_leaves_the_listener():
    with laps() as outer:
        try:
            with laps() as inner, lap("part", CPU):
                raise ValueError
        except ValueError:
            pass
        with lap("after", CPU):
            pass
    assert not inner
    assert list(outer) == ["after"]


def test_a_video_is_split_and_merged_once_and_a_token_is_a_step():
    video_llm = VideoLLM(tiny_model(), Strided(), NoScaling(factor="auto", window="visual"), NoQuant(), 4)
    start = time.perf_counter()
    with laps() as taken:
        context = video_llm.watch(*clip(16))
        answers = video_llm.ask(context, ["Did red flash?", "Did blue flash?"])
    total = time.perf_counter() - start
    steps = max(len(answer.tokens) for answer in answers)
    counts = {name: len(seconds) for name, seconds in taken.items()}
    assert (counts["split"], counts["merge"], counts["first_token"]) == (1, 1, 1)
    assert steps - 1 <= counts.get("next_token", 0) <= 3  # an answer may end in a token that is not shown
    assert sum(map(sum, taken.values())) < total
