"""Measure what a longer video takes: python -m experiments.bench memory [rounds=3] [frames=64,256,1024,2048]

The mini model watches random frames in passes, in three ways: `early`, every token kept, each pass packed and read so
by the later ones; `capped`, each layer cut to a cap after every pass (kv_evict=window, early); and `at_once`, up to as
many frames as `whole` says, with which passes are compared. Bytes are those that tower or decoder hold at their peak
beyond what stays: weights, the packed prefix, and what waits on the host, frames as bytes and the tower's output, each
told apart. Seconds of the tower and of the capped prefill, in turn with those of the fewest frames.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from intpv.bounds import check_whole
from intpv.cost.memory import counting
from intpv.kv_evict.none import NoEvict
from intpv.kv_evict.window import WindowEvict
from intpv.rearranger.group_length import check_frames
from intpv.video_llm.passes import Passes
from intpv.video_llm.video_llm import VideoLLM

from ..run import build
from ..run.command import own_config, unchecked
from ..run.messages import explained
from ..run.provenance import provenance, write_result
from ..run.quiet import quiet
from ..run.threads import set_threads
from .timing import alternate

LENGTHS = [64, 128, 256, 512, 1024, 2048]
PASSES = {"tower_frames": 64, "prefill_tokens": 256}
DEFAULTS = {"rounds": 3, "frames": LENGTHS, "whole": 512, "cap": 512, "kv_quant": "best2", **PASSES}
OUT = "analysis/results/bench_memory.json"


@torch.inference_mode()
def main() -> None:
    with explained("bench memory"):
        options = own_config("bench memory", __doc__, {**DEFAULTS, "out": OUT})
        for count in options.frames:
            check_whole("frames", count)
            check_frames(count, options.tower_frames)
    result = {"what": "Measure what a longer video takes", "provenance": provenance()}
    sizes = {name: options[name] for name in DEFAULTS if name != "frames"}
    result |= watch_longer(sorted(options.frames), **sizes)
    write_result(options.out, result)
    print(*length_lines(result), sep="\n")


def watch_longer(
    frames: list[int], rounds: int, whole: int, cap: int, kv_quant: str, tower_frames: int, prefill_tokens: int
) -> dict:
    """A row per number of frames, and how much more the most takes than the fewest."""
    quiet()
    set_threads(1)
    config, _ = unchecked([f"frames={frames[0]}", "rope_strategy=visual_only", f"kv_quant={kv_quant}", "cache=off"])
    llm = build.video_llm(config)
    llm = replace(llm, kv_quant=replace(llm.kv_quant, decode="eager"))  # compiled memory is seen by no count
    capped = WindowEvict(tokens=cap, early=True)
    passes = Passes(tower_frames, prefill_tokens)
    ways = {
        "early": replace(llm, passes=replace(passes, pack="early")),
        "capped": replace(llm, passes=passes, kv_evict=capped),
        "at_once": replace(llm, passes=Passes(), kv_evict=NoEvict()),
    }
    rows: list[dict[str, Any]] = []
    for count in frames:
        there = [name for name in ways if name != "at_once" or count <= whole]
        rows.append({"frames": count, **{name: _bytes(ways[name], count) for name in there}})
    seconds = [_seconds(ways["capped"], frames[0], count, rounds) for count in frames[1:]]
    most = {name: rows[-1][name]["beyond"] / rows[0][name]["beyond"] for name in ("early", "capped")}
    return {
        "rounds": rounds,
        **PASSES,
        "kv_quant": kv_quant,
        "cap": cap,
        "rows": rows,
        "seconds": seconds,
        "most": most,
    }


def _shown(llm: VideoLLM, frames: int) -> tuple[Tensor, Tensor]:
    side = llm.model.encoder.image_size
    pixels = torch.randint(
        0, 256, (frames, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return pixels, torch.arange(frames) / 2.0


def _bytes(llm: VideoLLM, frames: int) -> dict[str, int]:
    """`beyond`: the larger of the tower's peak and the decoder's, without their results."""
    pixels, times = _shown(llm, frames)
    with counting(llm.device) as tower:
        features = llm.look(pixels)
    with counting(llm.device) as decoder:
        context = llm.read(features, times)
    kept = context.packed.ledger()["total"]
    found = {"tower": tower.peak - features.nbytes, "decoder": decoder.peak - kept}
    host = {"frames_bytes": pixels.nbytes, "features_bytes": features.nbytes}
    return {"beyond": max(found.values()), **found, "kv": kept, "tokens": context.layout.length, **host}


def _seconds(llm: VideoLLM, few: int, many: int, rounds: int) -> dict:
    """Of `many` frames, and how many times what as many pieces of `few` take: 1 is linear."""
    found: dict = {"frames": many}
    parts = {count: (*_shown(llm, count), llm.look(_shown(llm, count)[0])) for count in (few, many)}
    for name in ("tower", "prefill"):
        runs = {
            count: partial(llm.look, pixels) if name == "tower" else partial(llm.read, features, times)
            for count, (pixels, times, features) in parts.items()
        }
        both = alternate(runs[many], runs[few], rounds)
        times_linear = {key: few / many / value for key, value in both["ratio"].items() if key != "rounds"}
        found[name] = {"seconds": both["ours_s"], "times_linear": times_linear}
    return found


def length_lines(result: dict) -> list[str]:
    """For reading."""
    lines = []
    for row in result["rows"]:
        ways = [f"{name} {row[name]['beyond'] / 1e6:.2f}" for name in ("early", "capped", "at_once") if name in row]
        early = row["early"]
        waiting = early["frames_bytes"] + early["features_bytes"]
        lines.append(
            f"{row['frames']} frames: MB beyond weights and prefix: {', '.join(ways)}; prefix {early['kv'] / 1e6:.2f}, "
            f"waiting on the host {waiting / 1e6:.2f}"
        )
    for row in result["seconds"]:
        parts = [f"{name} {row[name]['times_linear']['median']:.2f}" for name in ("tower", "prefill")]
        lines.append(f"{row['frames']} frames: times linear: {', '.join(parts)}")
    return [*lines, *(f"{name}: {times:.2f} times the fewest frames' bytes" for name, times in result["most"].items())]


if __name__ == "__main__":
    main()
