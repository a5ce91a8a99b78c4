"""Cost measured: the tables' columns on a device, from a random model of the shape that watches and answers.

Bytes as memory_count counts them, seconds by the clock in passes of their own; bfloat16, one question, batch 1. A row
per number of frames; kv, held, watch_peak, ask_peak and decode_s for each policy, all from one prefill:

tokens       of the prefix: text, and P per frame
kv           bytes that packing leaves held, by the device's count; of the full-precision cache, that prefill leaves
held         all weights and kv
watch_peak   weights and the most that tower, prefill and packing hold at once; ask_peak held and what asking adds
decode_s     one token more of an answer, median of STEPS - 1
tower_bytes  activations of the tower's m groups as one batch, frames and output included
encode_s, prefill_s  tower, projector and decoder over the prefix: all that comes before packing
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch import Tensor

from intpv.laps import lap, laps
from intpv.measure.cost_model import random_model
from intpv.measure.cost_shape import Shape
from intpv.measure.ledger import weights
from intpv.measure.memory_count import counting
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm import VideoLLM
from intpv.watched import Prefill

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
        with lap("encode", device):
            features = _look(video_llm, frames)
        with lap("prefill", device):
            _prefill(video_llm, features)  # timed, and let go
    del features
    with counting(device) as tower:
        features = _look(video_llm, frames)
    with counting(device) as filling:
        prefill = _prefill(video_llm, features)
    row = {"frames": frames, "groups": frames // video_llm.model.encoder.group_length, "tokens": prefill.layout.length}
    row |= {"tower_bytes": tower.peak, "encode_s": taken["encode"][0], "prefill_s": taken["prefill"][0]}
    beside = tower.held + filling.peak  # the tower's output is there while the prefix is made
    columns: dict[str, dict[str, float | int]] = {name: {} for name in ("kv", "watch_peak", "ask_peak", "decode_s")}
    for name, option in options.items():
        packed = _packed(replace(video_llm, kv_quant=option), prefill)
        kv = filling.held if name == EXACT else packed["held"]
        columns["kv"][name], columns["ask_peak"][name] = kv, kv + packed["ask_peak"]
        columns["watch_peak"][name] = max(tower.peak, beside, filling.held + packed["peak"])
        columns["decode_s"][name] = packed["decode_s"]
    return row | columns


def _look(video_llm: VideoLLM, frames: int) -> Tensor:
    shape = frames, video_llm.model.encoder.config.num_channels, *[video_llm.model.encoder.image_size] * 2
    return video_llm.look(torch.randint(0, 256, shape, dtype=torch.uint8, device=video_llm.device))


def _prefill(video_llm: VideoLLM, features: Tensor) -> Prefill:
    return video_llm.prefill(features, torch.arange(features.shape[0] * features.shape[1], dtype=torch.float32))


def _packed(video_llm: VideoLLM, prefill: Prefill) -> dict[str, float | int]:
    """Bytes that packing holds at its peak and in the end, and that asking adds; seconds of a step."""
    with counting(video_llm.device) as packing:
        context = video_llm.pack(prefill)
    with laps() as taken:
        video_llm.ask(context, [QUESTION])
    with counting(video_llm.device) as asking:
        video_llm.ask(context, [QUESTION])
    step = median(taken["next_token"])
    return {"peak": packing.peak, "held": packing.held, "ask_peak": asking.peak, "decode_s": step}


def _with_weights(row: dict, loaded: int) -> dict:
    added = {key: {name: loaded + size for name, size in row[key].items()} for key in ("watch_peak", "ask_peak")}
    return row | added | {"held": {name: loaded + size for name, size in row["kv"].items()}}
