"""The mini model's own keys, values and question rows on flipbook clips of a split that no policy was chosen on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from intpv.attention_kl.attention_kl import subject, teacher_forced
from intpv.attention_kl.side import Asked
from intpv.data.item import Question
from intpv.kv_quant.kv_quant import NoQuant
from intpv.video_llm import VideoLLM
from intpv.viewing import Viewer
from intpv.watched import Prefill

from .. import build
from ..command_line import CONF
from ..naming import register_resolvers
from .specimen import Specimen


@dataclass(frozen=True)
class Watched:
    """A clip's prefix as a specimen, and what it takes to answer its questions."""

    specimen: Specimen
    video_llm: VideoLLM
    prefill: Prefill
    questions: tuple[str, ...]
    logits: torch.Tensor  # (Q, vocabulary), of the answers' first tokens from the prefix in full precision


def watched(frames: int, clips: int, overrides: tuple[str, ...] = ()) -> Iterator[Watched]:
    """Clips of data.seed=1, regimes in turn, under visual_only; `overrides` as on the command line."""
    register_resolvers(__package__.rpartition(".")[0])
    chosen = [f"frames={frames}", "rope_strategy=visual_only", "data.seed=1", f"data.limit={clips}", "cache=off"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("config", [*chosen, *overrides]), resolve=True)
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
    subject(video_llm, context, max(map(len, rows)), sinks=0).read(rows, lambda _, one: asked.append(one))
    angles = video_llm.rope_strategy.angles(layout, prefill.geometry, prefill.factor)
    specimen = Specimen(prefill.layers, layout, angles, tuple(asked))
    return Watched(specimen, video_llm, prefill, questions, torch.stack([answer.logits for answer in answers]))
