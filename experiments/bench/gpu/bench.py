"""Measure all that needs a GPU, in 10 minutes: python -m experiments.bench gpu [out=FILE] [frames=[8,64]] [minutes=9]

Random weights of Video-LLaVA-7B's shape in bfloat16, made on the device; no checkpoint. Parts, in their order: `tests`,
the tests that need a GPU; `contract`, errors of attention to every packed layer; `answering`, seconds and peaks of
watching and asking beside transformers' generate; `measuring`, what attention KL costs; `decoder`, a decode step of
each cache (quanto too, where it is installed); `rows`, many rows beside torch's own attention; `cost`, the paper's
Table 1. A part that the minutes do not reach is named. Another size of the model: layers=4 heads=8 ...
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import OmegaConf
from transformers import LlamaModel

from intpv.cost.measured import random_model, tables
from intpv.cost.shape import Shape as ModelShape
from intpv.cost.shape import read
from intpv.errors import BadInput
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from ...cost import kv_options
from ...run.command import own_config
from ...run.messages import explained
from ...run.provenance import provenance, write_result
from ...run.quiet import quiet
from ..kv.allowance import Allowances
from ..kv.decoder_speed import decoder_speed
from ..kv.layer_speed import PATCHES, Shape, row_speed
from ..kv.methods import PEERS, Method, ours
from .answering import STEPS, answer_times, measuring
from .contract import contract
from .tables import as_markdown

ROOT = Path(__file__).parents[3]
PARTS = ("tests", "contract", "answering", "measuring", "decoder", "rows", "cost")
OPTIONS = ["none", "int8", "int4", "int2", "best2"]
DEFAULTS: dict[str, Any] = {
    "out": "analysis/results/bench_gpu.json",
    "parts": list(PARTS),
    "frames": [8, 32, 64, 128],
    "options": OPTIONS,  # of conf/kv_quant
    "rows": [1, 24, 300, 1000],
    "rounds": 3,
    "minutes": 9,
    "device": "cuda",  # cpu: to try it, at a small size
    "shape": "video_llava_7b",
    **dict.fromkeys(field.name for field in fields(ModelShape)),  # None: as the shape has it
}
DECODED = ("dynamic", "quanto4 K0 V0", "quanto2 K0 V0")  # transformers' caches beside ours
KL_FRAMES, KL_OPTION = 64, "int2"


@torch.inference_mode()
def main() -> None:
    with explained("bench gpu"):
        options = OmegaConf.to_container(own_config("bench gpu", __doc__, DEFAULTS))
        assert isinstance(options, dict)  # as DEFAULTS is
        run(measurable(options))


def measurable(options: dict) -> dict:
    """BadInput for a part that there is not, and where there is no such device."""
    if set(options["parts"]) - set(PARTS):
        raise BadInput(f"parts must be some of {', '.join(PARTS)}, got {', '.join(options['parts'])}")
    if options["device"] == "cuda" and not torch.cuda.is_available():
        raise BadInput("device=cuda: torch sees no GPU here; device=cpu with a small shape tries the bench itself")
    return options


def run(options: dict) -> None:
    """Every part is written as soon as it is measured, or with the reason why it could not be."""
    quiet()
    start, out = time.monotonic(), Path(options["out"])
    result: dict[str, Any] = {"what": "What a GPU makes of it", "provenance": provenance(), "options": options}
    result |= {"parts": {}, "left_out": {}}
    for name, measure in parts(options):
        minutes = (time.monotonic() - start) / 60
        if minutes > options["minutes"]:
            result["left_out"][name] = f"{minutes:.1f} minutes had passed"
        else:
            try:
                result["parts"][name] = measure()
            except Exception as error:  # one part's fault must not cost the others' figures
                result["left_out"][name] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        print(f"{name}: {result['left_out'].get(name, 'done')}", flush=True)
        out.with_suffix(".md").write_text(as_markdown(write_result(out, result)))
    print(out.with_suffix(".md").read_text())


def parts(options: dict) -> Iterator[tuple[str, Callable[[], dict]]]:
    """Name -> what measures it; the model is made when it is first needed, and let go with the last of its parts."""
    device, rounds, names, wanted = (options[key] for key in ("device", "rounds", "options", "parts"))
    device = torch.device(device)
    sizes = {field.name: options[field.name] for field in fields(ModelShape) if options[field.name] is not None}
    model_shape = read(options["shape"], sizes)
    layer = Shape(model_shape.kv_heads, model_shape.head_dim, 1, torch.bfloat16, device)
    patches, most = model_shape.tokens_per_frame, max(options["frames"])
    if "tests" in wanted:
        yield "tests", gpu_tests
    if "contract" in wanted:
        for dtype in (torch.bfloat16, torch.float32):
            shape = Shape(layer.heads, layer.head_dim, 1, dtype, device)
            name = f"contract in {str(dtype).removeprefix('torch.')}"
            yield name, partial(contract, shape, min(KL_FRAMES, most), patches, names, options["rows"])
    if {"answering", "measuring", "decoder"} & set(wanted):
        model = random_model(model_shape, device, torch.bfloat16)
        whole = VideoLLM(model, Strided(), NoScaling(factor="auto", window="visual"), option("kv_quant", "none"), STEPS)
        if "answering" in wanted:
            for frames in options["frames"]:
                yield f"answering {frames}", partial(answer_times, whole, frames, names, rounds)
        if "measuring" in wanted:
            yield "measuring", partial(measuring, whole, min(KL_FRAMES, most), KL_OPTION)
        if "decoder" in wanted:
            known: dict[str, Method] = {**PEERS, **ours(names)}
            methods = {name: known[name] for name in (*DECODED, *names)}
            decodes, allowances = ("triton" if device.type == "cuda" else "eager",), Allowances(60)
            for frames in options["frames"]:
                given = frames, patches, methods, decodes, rounds, allowances
                yield f"decoder {frames}", partial(decoder_speed, cast(LlamaModel, model.decoder), *given)
        del model, whole
    if "rows" in wanted:
        tokens = min(KL_FRAMES, most) * PATCHES
        yield "rows", partial(row_speed, layer, tokens, options["rows"], ours(names), ("auto",), rounds, Allowances())
    if "cost" in wanted:
        yield "cost", partial(tables, model_shape, options["frames"], kv_options())


def gpu_tests() -> dict:
    """The tests that are marked gpu, in a process of their own: their last line, and what failed."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-rf", "--no-header", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    failed = [line.removeprefix("FAILED ") for line in lines if line.startswith("FAILED ")]
    return {"last_line": lines[-1] if lines else done.stderr.strip()[-300:], "failed": failed, "code": done.returncode}
