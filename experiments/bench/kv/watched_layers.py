"""A model's own keys, values and question rows on flipbook clips of a split that no policy was chosen on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from hydra.utils import instantiate

from intpv.attention_kl.attention_kl import subject, teacher_forced
from intpv.attention_kl.streaming import Asked
from intpv.data.benchmark import Question
from intpv.inference.viewing import Viewer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.video_llm.context import Prefill
from intpv.video_llm.video_llm import VideoLLM

from ...run import build
from ...run.command import unchecked
from .prefix import Specimen


@dataclass(frozen=True)
class Watched:
    """A clip's prefix as a specimen, and what it takes to answer its questions."""

    specimen: Specimen
    video_llm: VideoLLM
    prefill: Prefill
    questions: tuple[str, ...]
    logits: torch.Tensor  # (Q, vocabulary), of the answers' first tokens from the prefix in full precision


def watched(frames: int, clips: int, overrides: tuple[str, ...] = ("rope_strategy=visual_only",)) -> Iterator[Watched]:
    """Clips of data.seed=1, regimes in turn; `overrides`, as on the command line, choose the model and its rotation."""
    chosen = [f"frames={frames}", "data.seed=1", f"data.limit={clips}"]
    config, _ = unchecked([*chosen, "cache=off", "trainer.accelerator=cpu", *overrides])
    reader, video_llm = instantiate(config["video"]), build.video_llm(config)
    viewer = Viewer(video_llm, reader, build.cache(config), frames)
    for item in build.benchmark(config).items():
        view = viewer.view(item)
        yield _watched(video_llm, video_llm.prefill(view.features, view.timestamps, item.id), item.questions)


def _watched(video_llm: VideoLLM, prefill: Prefill, asked_about: Sequence[Question]) -> Watched:
    questions = tuple(question.text for question in asked_about)
    layout, context = prefill.layout, replace(video_llm, kv_quant=NoQuant()).pack(prefill)
    answers = replace(video_llm, max_new_tokens=1).ask(context, questions)
    rows = teacher_forced(video_llm, questions, answers)
    asked: list[Asked] = []
    subject(video_llm, context, sinks=0).read(rows, lambda _, one: asked.append(one))
    specimen = Specimen(prefill.layers, layout, prefill.rotation.unrotation, tuple(asked))
    return Watched(specimen, video_llm, prefill, questions, torch.stack([answer.kept_logits for answer in answers]))
