"""Measure the KV cache beside transformers' own: python -m experiments.bench kv [rounds=7] [out=...] [tokens=[4096]]

Every method holds the same prefixes: bytes, bits, losses (drawn layers, and the mini model's on clips that no policy
was chosen on), a decode step's time and memory and the time of many rows on one layer of Llama-7B's shape; on a GPU
also attention and the whole decoder of that model. Peers that need `pip install "intpv[peers]"` are skipped by name
without it; each has 3 minutes. A readable table is written beside `out`. Under 15 minutes on two cores; in part by
sections=[fidelity,flipbook,speed,rows,decoder]; sections=[text,smollm2] are a real language model's keys and values,
where it reads text and where it watches clips (make smol).
"""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import OmegaConf

from intpv.bounds import check_whole
from intpv.errors import BadInput
from intpv.model.loading import smollm2_base
from intpv.model.loading.folder import read_folder

from ...run.command import own_config
from ...run.messages import explained
from ...run.provenance import provenance, write_result
from ...run.quiet import quiet
from ...run.threads import set_threads
from .allowance import Allowances
from .decoder_speed import LLAMA_7B, decoder_speed, random_decoder
from .fidelity import on_clips, on_video_like
from .layer_speed import PATCHES, Shape, layer_speed, row_speed
from .methods import HQQ, OPTIONS, PEERS, VARIANTS, Method, ours
from .prefix import VideoLike
from .tables import markdown
from .text_layers import text_read
from .watched_layers import watched

SECTIONS = ("fidelity", "flipbook", "speed", "rows", "decoder")
ON_REQUEST = ("text", "smollm2")  # need `make smol`
DEFAULTS = {
    "rounds": 7,
    "out": "analysis/results/bench_kv.json",
    "sections": list(SECTIONS),
    "options": list(OPTIONS),  # of kv_quant
    "seeds": 3,  # drawn layers
    "clips": 10,
    "clip_frames": [32, 64],
    "text_tokens": [1024, 4096],  # that are read before the rows that ask
    "stretches": 8,  # of text
    "base": None,
    "cache_dir": "~/.cache/intpv/models",
    "tokens": [4096, 16384],  # of one layer
    "heads": 32,  # of it
    "rows": [1, 5, 24, 300],  # that read the shortest of these prefixes at once
    "frames": [8, 32, 64, 128],  # of the whole decoder, 257 tokens each; needs CUDA
    "device": "cpu",  # of that layer; on cuda in bfloat16, as a GPU would hold it
    "threads": 1,
    "peer_seconds": 180,
}
NEEDED = ("optimum-quanto", "hqq", "ninja")  # by peers
WATCHING = {"flipbook": ("rope_strategy=visual_only",), "smollm2": ("model=smollm2", "rope_strategy=yarn")}
DECODES = ("eager", "compiled")
ROWS = 64  # tokens of text that ask
DEVICES = {"cpu": torch.float32, "cuda": torch.bfloat16}
NOTES = {
    "video_like": "Drawn layers (prefix.py) in bfloat16, as a 7B keeps its cache: quanto's scales are "
    "bfloat16 too. Units of the intervals: heads of all seeds.",
    "flipbook": "The mini model's own layers in float32, clips of data.seed=1, its question and answer rows. quanto's "
    "scales are float32 here, and a prefix that its key groups do not fit is padded. Units: clips.",
    "text": f"SmolLM2-135M-Instruct alone on Python's documentation, float32; the {ROWS} tokens behind the prefix ask. "
    "Units: stretches of text.",
    "smollm2": "SmolLM2-135M-Instruct as a Video-LLM on the same clips, float32, under yarn. Units: clips.",
}


class Result:
    """What has been measured so far; written whole after every part, so that a stop loses nothing."""

    def __init__(self, options: dict):
        self.out, self.allowances = Path(options["out"]), Allowances(options["peer_seconds"])
        self.found: dict[str, Any] = {
            "what": "KV cache: what each method holds, loses and costs; KL in nats, lower is better throughout",
            "provenance": provenance(),
            "peers": {name: _version(name) for name in NEEDED},
            "threads": set_threads(options["threads"]),
            "options": options,
            "about": NOTES,
        }

    def add(self, section: str, part: str, measured: dict) -> None:
        self.found.setdefault(section, {})[part] = measured
        self.found |= {"skipped": self.allowances.skipped, "peer_seconds": self.allowances.spent}
        self.out.with_suffix(".md").write_text(markdown(write_result(self.out, self.found)))
        print(f"{section}: {part}", flush=True)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@torch.inference_mode()
def main() -> None:
    with explained("bench kv"):
        options = OmegaConf.to_container(own_config("bench kv", __doc__, DEFAULTS))
        run(checked(cast(dict[str, Any], options)))


def checked(options: dict) -> dict:
    """BadInput for a size or a section that there is not."""
    for name in ("clip_frames", "text_tokens", "tokens", "rows", "frames"):
        for count in options[name]:
            check_whole(name, count)
    if set(options["sections"]) - {*SECTIONS, *ON_REQUEST}:
        raise BadInput(f"sections must be some of {', '.join((*SECTIONS, *ON_REQUEST))}, got {options['sections']}")
    ours(options["options"])
    if set(ON_REQUEST) & set(options["sections"]):
        smollm2_base.base_folder(options["base"], options["cache_dir"])
    if options["device"] not in DEVICES or (options["device"] == "cuda" and not torch.cuda.is_available()):
        raise BadInput(f"device must be cpu, or cuda where torch sees a GPU, got {options['device']}")
    if ragged := [tokens for tokens in options["tokens"] if tokens < PATCHES or tokens % PATCHES]:
        raise BadInput(f"tokens must be whole frames of {PATCHES}, got {', '.join(map(str, ragged))}")
    return options


def run(options: dict) -> None:
    quiet()
    # quanto builds its extension with the ninja beside this Python, also where that folder is not on the path
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    result = Result(options)
    presets = ours(options["options"])
    methods: dict[str, Method] = {**PEERS, **presets, **VARIANTS}
    allowances, sections = result.allowances, options["sections"]
    if "fidelity" in sections:
        drawn = VideoLike(dtype=torch.bfloat16)
        result.add("fidelity", "video_like", on_video_like(drawn, range(options["seeds"]), methods, allowances))
    real = {name: method for name, method in methods.items() if name not in HQQ}
    for section, overrides in WATCHING.items():
        for frames in options["clip_frames"] if section in sections else ():
            clips = watched(frames, options["clips"], overrides)
            result.add("fidelity", f"{section} {frames} frames", on_clips(clips, real, allowances))
    if "text" in sections:
        folder = smollm2_base.ready_base(options["base"], options["cache_dir"])
        llm, words = read_folder(folder, "LlamaForCausalLM", "float32", "cpu")
        for tokens in options["text_tokens"]:
            read = text_read(llm, words, tokens, ROWS, options["stretches"])
            result.add("fidelity", f"text {tokens} tokens", on_clips(read, real, allowances))
    timed: dict[str, Method] = {**PEERS, **presets}
    device, dtype = options["device"], DEVICES[options["device"]]
    shape = Shape(heads=options["heads"], dtype=dtype, device=torch.device(device))
    decodes = (*DECODES, *(["triton"] if device == "cuda" else []))
    if "speed" in sections:
        for tokens in options["tokens"]:
            found = layer_speed(shape, tokens, timed, decodes, options["rounds"], allowances)
            result.add("speed", str(tokens), found)
    if "rows" in sections:
        tokens = min(options["tokens"])
        found = row_speed(shape, tokens, options["rows"], presets, decodes, options["rounds"], allowances)
        result.add("rows", str(tokens), found)
    if "decoder" in sections and torch.cuda.is_available():
        decoder = random_decoder(LLAMA_7B, torch.bfloat16, torch.device("cuda"))
        for frames in options["frames"]:
            found = decoder_speed(decoder, frames, 257, timed, (*DECODES, "triton"), options["rounds"], allowances)
            result.add("decoder", str(frames), found)
    print(result.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
