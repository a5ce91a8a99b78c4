"""Cost measured: the tables' columns on a device, from a random model of the shape that watches and answers.

Bytes as memory_count counts them, seconds by the clock in passes of their own; bfloat16, one question, batch 1. A row
per number of frames; kv, held, watch_peak, ask_peak and decode_s for each policy:

tokens       of the prefix: text, and P per frame
kv           bytes that watching leaves held, by the device's count
held         all weights and kv
watch_peak   weights and the most that tower, prefill and packing, layer by layer, hold at once
ask_peak     held and what asking adds
decode_s     one token more of an answer, median of STEPS - 1
tower_bytes  activations of the tower's m groups as one batch, frames and output included
encode_s, prefill_s  tower, projector and decoder over the prefix: all that comes before packing
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from intpv.cost.ledger import weights
from intpv.cost.memory import counting
from intpv.cost.shape import Shape
from intpv.encoder.languagebind import LanguageBind
from intpv.errors import BadInput
from intpv.model.model import MINI, Model
from intpv.preprocess.clip import Preprocess
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.shipped import EMBEDDED
from intpv.timing import lap, laps
from intpv.video_llm.context import Prefill
from intpv.video_llm.video_llm import VideoLLM

# Cost model: a Video-LLM of a Shape with random weights, made where it will run; for bytes and seconds alone.


WINDOW = 4096  # positions; beyond it nothing is refused
TOWER_HEAD = 64  # channels per head of the tower, as in every CLIP


def random_model(shape: Shape, device: torch.device, dtype: torch.dtype) -> Model:
    """The mini model's words, and no end of an answer, so that as many tokens are said as are allowed."""
    words = AutoTokenizer.from_pretrained(EMBEDDED, local_files_only=True)
    if shape.vocabulary < len(words):
        raise BadInput(
            f"vocabulary must be at least {len(words)}, the words questions are made of, got {shape.vocabulary}"
        )
    words.eos_token = None
    encoder = encoder_of(shape, device, dtype)
    with _made_on(device, dtype):
        llm = LlamaForCausalLM(_llm(shape)).eval().requires_grad_(False)
    return Model("random", llm, encoder, words, MINI, Preprocess(size=shape.image_size))


def _llm(shape: Shape) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocabulary,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=False,
    )


def encoder_of(shape: Shape, device: torch.device, dtype: torch.dtype) -> LanguageBind:
    """Tower and projector alone."""
    with _made_on(device, dtype):
        encoder = LanguageBind(
            llm_width=shape.hidden,
            select_layer=shape.tower_run - shape.tower_layers - 1,
            hidden_size=shape.tower_hidden,
            intermediate_size=shape.tower_intermediate,
            num_hidden_layers=shape.tower_layers,
            num_attention_heads=max(1, shape.tower_hidden // TOWER_HEAD),
            image_size=shape.image_size,
            patch_size=shape.patch_size,
            hidden_act="gelu",
            num_frames=shape.group,
            num_channels=shape.channels,
        )
        for parameter in encoder.parameters():  # some are left as the memory was, and codes are made of finite numbers
            nn.init.normal_(parameter, std=0.02)
    return encoder.eval().requires_grad_(False)


@contextmanager
def _made_on(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """New parameters are made there and in this type: a detour through float32 on the host would take 27 GB."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


STEPS = 9  # tokens of the answer
QUESTION = "Did red flash?"
EXACT = "FP16"  # the policy that keeps the prefix itself


def tables(shape: Shape, frames: Sequence[int], options: Mapping[str, Any]) -> dict:
    """What cost_table.tables has beside it: `measured`, the rows below, and on what: the GPU, or the CPU without."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = measured(shape, frames, options, device)
    return {"device_name": found["device_name"], "measured_weights": found["weights"], "measured": found["rows"]}


@torch.inference_mode()
def measured(shape: Shape, frames: Sequence[int], options: Mapping[str, Any], device: torch.device) -> dict:
    """`device_name`, `weights` by part and `rows` as above, in bytes and seconds; `options` as in cost_table.tables."""
    if device.type == "cpu":  # compiled code takes its memory where no count sees it
        options = {name: replace(option, decode="eager") for name, option in options.items()}
    model = random_model(shape, device, torch.bfloat16)
    video_llm = VideoLLM(model, Strided(), NoScaling(factor="auto", window="visual"), options[EXACT], STEPS)
    _row(video_llm, shape.group, options)  # whatever a device sets up once is not the first row's
    own = weights(model.llm, model.encoder)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    parts = {key.removeprefix("memory/").removesuffix("_bytes"): size for key, size in own.items()}
    rows = [_row(video_llm, count, options) for count in frames]
    return {"device_name": name, "weights": parts, "rows": [_with_weights(row, sum(parts.values())) for row in rows]}


def _row(video_llm: VideoLLM, frames: int, options: Mapping[str, Any]) -> dict:
    device = video_llm.device
    with laps() as taken:
        for _ in range(2):  # the first sets up whatever this length needs
            with lap("encode", device):
                features = look(video_llm, frames)
            with lap("prefill", device):
                prefilled(video_llm, features)  # timed, and let go
    del features
    with counting(device) as tower:
        features = look(video_llm, frames)
    groups, tokens = frames // video_llm.model.encoder.group_length, video_llm.prefix_layout(frames).length
    row: dict[str, float | int] = {"frames": frames, "groups": groups, "tokens": tokens, "tower_bytes": tower.peak}
    row |= {"encode_s": taken["encode"][-1], "prefill_s": taken["prefill"][-1]}
    columns: dict[str, dict[str, float | int]] = {name: {} for name in ("kv", "watch_peak", "ask_peak", "decode_s")}
    for name, option in options.items():
        found = _watched(replace(video_llm, kv_quant=option), features)
        columns["kv"][name], columns["ask_peak"][name] = found["held"], found["held"] + found["ask_peak"]
        # the tower's output is there while the prefix is made
        columns["watch_peak"][name] = max(tower.peak, tower.held + found["peak"])
        columns["decode_s"][name] = found["decode_s"]
    return row | columns


def look(video_llm: VideoLLM, frames: int) -> Tensor:
    """Random frames through the tower -> its features (m, N, P, E)."""
    shape = frames, video_llm.model.encoder.config.num_channels, *[video_llm.model.encoder.image_size] * 2
    return video_llm.look(torch.randint(0, 256, shape, dtype=torch.uint8, device=video_llm.device))


def prefilled(video_llm: VideoLLM, features: Tensor) -> Prefill:
    """The prefix of a video with a frame a second."""
    return video_llm.prefill(features, _seconds(features))


def _seconds(features: Tensor) -> Tensor:
    return torch.arange(features.shape[0] * features.shape[1], dtype=torch.float32)


def _watched(video_llm: VideoLLM, features: Tensor) -> dict[str, float | int]:
    """Bytes that prefill and packing hold at their peak and in the end, and that asking adds; seconds of a step."""
    with counting(video_llm.device) as packing:
        context = video_llm.read(features, _seconds(features))
    with laps() as taken:
        video_llm.ask(context, [QUESTION])
    with counting(video_llm.device) as asking:
        video_llm.ask(context, [QUESTION])
    step = median(taken["next_token"])
    return {"peak": packing.peak, "held": packing.held, "ask_peak": asking.peak, "decode_s": step}


def _with_weights(row: dict, loaded: int) -> dict:
    added = {key: {name: loaded + size for name, size in row[key].items()} for key in ("watch_peak", "ask_peak")}
    return row | added | {"held": {name: loaded + size for name, size in row["kv"].items()}}
