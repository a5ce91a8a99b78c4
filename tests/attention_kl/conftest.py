"""The mini model with a watched clip, and its prefix under every number of bits: as they are in a run."""

from dataclasses import dataclass, replace

import pytest
import torch

from intpv import options
from intpv.attention_kl.attention_kl import subject, teacher_forced
from intpv.attention_kl.subject import Rows, Subject
from intpv.encoder.languagebind import LanguageBind
from intpv.flipbook.recipe import Geometry
from intpv.kv_quant.kv_quant import NoQuant
from intpv.model.mini import load
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.video_llm.context import Prefill, VideoContext
from intpv.video_llm.video_llm import VideoLLM

QUESTIONS = ("Did red flash?", "Which color flashed first?", "Did red flash before or after blue?")


@dataclass(frozen=True)
class Watched:
    """A video that the mini model has watched, in full precision."""

    video_llm: VideoLLM
    prefill: Prefill
    tokens: torch.Tensor  # (F, P, D)
    questions: tuple[str, ...] = QUESTIONS

    def packed(self, option: str) -> VideoContext:
        """The context under conf/kv_quant/<option>.yaml."""
        return replace(self.video_llm, kv_quant=options.option("kv_quant", option)).pack(self.prefill)

    def subject(self, option: str = "none") -> Subject:
        return subject(self.video_llm, self.packed(option), sinks=4)

    def rows(self) -> Rows:
        context = self.video_llm.pack(self.prefill)
        return teacher_forced(self.video_llm, self.questions, self.video_llm.ask(context, self.questions))


def _frames(count: int, distinct: int) -> torch.Tensor:
    """Plain colours that change, each shown several times in a row."""
    colours = torch.randint(0, 256, (distinct, 3, 1, 1), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return colours.repeat_interleave(count // distinct, 0).expand(-1, -1, 48, 48).contiguous()


@pytest.fixture(scope="session")
def watch():
    """frames -> Watched; always 8 seconds of the same 8 pictures."""
    llm = VideoLLM(load(LanguageBind(**Geometry().encoder)), Strided(), VisualOnlyScaling(), NoQuant())

    def of(frames: int) -> Watched:
        times = (torch.arange(frames) + 0.5) * 8 / frames
        features = llm.look(_frames(frames, 8))
        return Watched(llm, llm.prefill(features, times), llm.tokens(features))

    return of


@pytest.fixture(scope="session")
def watched(watch) -> Watched:
    return watch(16)


@pytest.fixture(scope="session")
def rows(watched) -> Rows:
    return watched.rows()
