"""Measure what loading costs: python -m experiments.bench loading [rounds=3] [out=analysis/results/bench_load.json]

A checkpoint of about 1 GB in the layout of Video-LLaVA-7B, random bfloat16, in one file and in three, of either kind.
Each load has a process of its own. Memory is the peak of resident memory beyond what was resident before the load,
mapped pages of the files included although the system could take them back. Linux only. About 3 minutes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors.torch import save_file
from transformers import LlamaForCausalLM, LlamaTokenizer

from intpv.encoder.weightless import weightless
from intpv.model.loading.config_json import llama_config
from intpv.model.video_llava import WHOLE

from ..run.cell_config import CellConfig
from ..run.command import own_config, unchecked
from ..run.messages import explained
from ..run.provenance import provenance, write_result
from ..run.threads import set_threads
from .timing import spread

LLM = {"intermediate_size": 5504, "num_hidden_layers": 8, "num_attention_heads": 16}
TOWER = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 6, "num_attention_heads": 8}
LIMITS = {"peak_share_of_checkpoint": 1.2}
FORMS = [(kind, shards) for kind in ("safetensors", "bin") for shards in (1, 3)]
STATED = {"model_type": "llava", "mm_video_tower": "random", "bos_token_id": 1, "eos_token_id": 2}


def main() -> None:
    defaults = {"rounds": 3, "out": "analysis/results/bench_load.json", "measure": None}
    with explained("bench loading"):
        options = own_config("bench loading", __doc__, defaults)
    set_threads(1)
    if options.measure:
        print(json.dumps(measured(options.measure)))
        return
    result = {
        "what": "Measure what loading costs",
        "provenance": provenance(),
        "limits": LIMITS,
        "dtype": "bfloat16",
    }
    for kind, shards in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            size = write(Path(folder), kind, shards)
            runs = [_alone(folder) for _ in range(options.rounds)]
        peaks = [run["peak_bytes"] for run in runs]
        result[f"{kind} x {shards}"] = {
            "checkpoint_bytes": size,
            "peak_bytes": spread(peaks),
            "peak_share_of_checkpoint": spread([peak / size for peak in peaks]),
            "load_s": spread([run["load_s"] for run in runs]),
        }
    write_result(options.out, result)
    print(OmegaConf.to_yaml(result))


def measured(folder: str) -> dict:
    """Load it in this process: bytes at the peak beyond those before, and seconds."""
    config = _config(folder)
    encoder = instantiate(config["encoder"])
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
    before, start = _resident("VmRSS"), time.perf_counter()
    model = instantiate(config["model"], encoder=encoder)
    seconds = time.perf_counter() - start
    if any(weight.is_meta for weight in model.llm.parameters()):
        raise RuntimeError("some weights were not loaded: the seconds would be of less than a load")
    return {"peak_bytes": _resident("VmHWM") - before, "load_s": seconds}


def write(folder: Path, kind: str, shards: int) -> int:
    """A whole checkpoint folder; the bytes of its weight files."""
    words = {name: i for i, name in enumerate(["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), "▁"])}
    LlamaTokenizer(vocab=words, merges=[]).save_pretrained(folder)
    config = _config(str(folder))
    text = llama_config(config["model"]["llm"], "model.llm")
    stated = {**config["model"]["llm"], **STATED}
    (folder / "config.json").write_text(json.dumps(stated))
    with weightless():
        parts = torch.nn.ModuleDict({"llm": LlamaForCausalLM(text), "encoder": instantiate(config["encoder"])})
    shapes = {WHOLE.source(name): value.shape for name, value in parts.state_dict().items()}
    stem, suffix = {"safetensors": ("model", "safetensors"), "bin": ("pytorch_model", "bin")}[kind]
    keys, total = sorted(shapes), 0
    for number in range(shards):
        of = f"-{number + 1:05}-of-{shards:05}" if shards > 1 else ""
        file = folder / f"{stem}{of}.{suffix}"
        part = {key: torch.randn(shapes[key], dtype=torch.bfloat16) for key in keys[number::shards]}
        save_file(part, file) if kind == "safetensors" else torch.save(part, file)
        total += file.stat().st_size
    return total


def _config(folder: str) -> CellConfig:
    sizes = [f"encoder.{key}={value}" for key, value in {**TOWER, "llm_width": 2048}.items()]
    sizes += [f"model.llm.{key}={value}" for key, value in LLM.items()]
    return unchecked(["model=video_llava_7b", f"model.path={folder}", "model.device=cpu", *sizes])[0]


def _alone(folder: str) -> dict:
    command = [sys.executable, "-m", __spec__.name, f"measure={folder}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})
    return json.loads(done.stdout.splitlines()[-1])


def _resident(what: str) -> int:
    """Bytes: VmRSS now, VmHWM at the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


if __name__ == "__main__":
    main()
