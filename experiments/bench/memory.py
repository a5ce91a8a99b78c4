"""Measure what a longer video takes: python -m experiments.bench memory [frames=64,256,1024,2048] [video=FILE]

The mini model watches random frames in passes: `early`, every token kept, each pass packed and read so by the later
ones; `capped`, each layer cut to a cap after every pass (kv_evict=window, early); by a budget of as many tokens as the
cap, `drop_repeated` and `temporal_merge`; and `at_once`, up to as many frames as `whole` says, with which passes are
compared. Bytes are those that tower or decoder hold at their peak beyond what stays: weights, the packed prefix, and
what waits on the host, frames as bytes and the tower's output, each told apart. Seconds of the tower and of the bounded
prefills, in turn with those of the fewest frames. With a file also the seconds in which the most frames of it are
decoded, and decoded and watched.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from intpv.bounds import check_whole
from intpv.budget.drop_repeated import DropRepeated
from intpv.budget.temporal_merge import TemporalMerge
from intpv.cost.memory import counting
from intpv.kv_evict.none import NoEvict
from intpv.kv_evict.window import WindowEvict
from intpv.rearranger.group_length import check_frames
from intpv.video.decoded import decode_file
from intpv.video.reader import VideoReader
from intpv.video.sampling import Sampler
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
BOUNDED = ("early", "capped", "drop_repeated", "temporal_merge")  # ways whose memory has a bound
LINEAR = BOUNDED[1:]  # and whose prefill takes time in proportion to the frames
OUT = "analysis/results/bench_memory.json"


@torch.inference_mode()
def main() -> None:
    with explained("bench memory"):
        options = own_config("bench memory", __doc__, {**DEFAULTS, "video": None, "out": OUT})
        for count in options.frames:
            check_whole("frames", count)
            check_frames(count, options.tower_frames)
    result = {"what": "Measure what a longer video takes", "provenance": provenance()}
    sizes = {name: options[name] for name in DEFAULTS if name != "frames"}
    result |= watch_longer(sorted(options.frames), video=options.video, **sizes)
    write_result(options.out, result)
    print(*length_lines(result), sep="\n")


def watch_longer(
    frames: list[int],
    rounds: int,
    whole: int,
    cap: int,
    kv_quant: str,
    tower_frames: int,
    prefill_tokens: int,
    video: str | None = None,
) -> dict:
    """A row per number of frames, and how much more the most takes than the fewest."""
    quiet()
    set_threads(1)
    config, _ = unchecked([f"frames={frames[0]}", "rope_strategy=visual_only", f"kv_quant={kv_quant}", "cache=off"])
    llm = build.video_llm(config)
    llm = replace(llm, kv_quant=replace(llm.kv_quant, decode="eager"))  # compiled memory is seen by no count
    in_passes = replace(llm, passes=Passes(tower_frames, prefill_tokens))
    ways = {
        "early": replace(llm, passes=replace(in_passes.passes, pack="early")),
        "capped": replace(in_passes, kv_evict=WindowEvict(tokens=cap, early=True)),
        "drop_repeated": replace(in_passes, budget=DropRepeated(keep=1, tokens=cap)),
        "temporal_merge": replace(in_passes, budget=TemporalMerge(keep=1, tokens=cap)),
        "at_once": replace(llm, passes=Passes(), kv_evict=NoEvict()),
    }
    rows: list[dict[str, Any]] = []
    for count in frames:
        there = [name for name in ways if name != "at_once" or count <= whole]
        rows.append({"frames": count, **{name: _bytes(ways[name], count) for name in there}})
    seconds = [_seconds(ways, frames[0], count, rounds) for count in frames[1:]]
    most = {name: rows[-1][name]["beyond"] / rows[0][name]["beyond"] for name in BOUNDED}
    return {
        "rounds": rounds,
        **PASSES,
        "kv_quant": kv_quant,
        "cap": cap,
        "rows": rows,
        "seconds": seconds,
        "most": most,
        "video": None if video is None else _file(ways, video, frames[-1]),
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


def _seconds(ways: Mapping[str, VideoLLM], few: int, many: int, rounds: int) -> dict:
    """Of `many` frames, and how many times what as many pieces of `few` take: 1 is linear."""
    found: dict = {"frames": many}
    tower = ways["capped"]
    parts = {count: (*_shown(tower, count), tower.look(_shown(tower, count)[0])) for count in (few, many)}
    for name in ("tower", *LINEAR):
        runs = {
            count: partial(tower.look, pixels) if name == "tower" else partial(ways[name].read, features, times)
            for count, (pixels, times, features) in parts.items()
        }
        both = alternate(runs[many], runs[few], rounds)
        times_linear = {key: few / many / value for key, value in both["ratio"].items() if key != "rounds"}
        found[name] = {"seconds": both["ours_s"], "times_linear": times_linear}
    return found


def _file(ways: Mapping[str, VideoLLM], path: str, frames: int) -> dict:
    """Seconds of decoding frames of a file and nothing else, of decoding and fitting them in a process of its own as a
    run does, and of watching them; both of the latter together, as times the first."""

    def timed(run: Callable[[], Any]) -> tuple[float, Any]:
        start = time.perf_counter()
        made = run()
        return time.perf_counter() - start, made

    fit, sizes = partial(ways["capped"].model.preprocess.fit, of=frames), set[tuple[int, ...]]()
    decode_s, _ = timed(
        lambda: decode_file(path, frames, Sampler(), "pyav", 1, None, lambda _, shown: sizes.add(shown.shape[:2]))
    )
    fitted_s, video = timed(lambda: VideoReader(timeout_s=600).read(path, frames, fit=fit))
    tower_s, features = timed(lambda: ways["capped"].look(video.frames))
    read_s = {name: timed(partial(ways[name].read, features, video.timestamps))[0] for name in LINEAR}
    return {
        "frames": frames,
        "distinct": len(set(video.indices)),
        "size": [*sizes.pop()],
        "seconds": {"decode": decode_s, "decode_and_fit": fitted_s, "tower": tower_s, **read_s},
        "times_decoding": {name: (fitted_s + tower_s + seconds) / decode_s for name, seconds in read_s.items()},
    }


def length_lines(result: dict) -> list[str]:
    """For reading."""
    lines = []
    for row in result["rows"]:
        ways = [f"{name} {row[name]['beyond'] / 1e6:.2f}" for name in (*BOUNDED, "at_once") if name in row]
        early = row["early"]
        waiting = early["frames_bytes"] + early["features_bytes"]
        lines.append(
            f"{row['frames']} frames: MB beyond weights and prefix: {', '.join(ways)}; prefix {early['kv'] / 1e6:.2f}, "
            f"waiting on the host {waiting / 1e6:.2f}"
        )
    for row in result["seconds"]:
        parts = [f"{name} {row[name]['times_linear']['median']:.2f}" for name in ("tower", *LINEAR)]
        lines.append(f"{row['frames']} frames: times linear: {', '.join(parts)}")
    lines += [f"{name}: {times:.2f} times the fewest frames' bytes" for name, times in result["most"].items()]
    if video := result["video"]:
        watched = ", ".join(f"{name} {times:.2f}" for name, times in video["times_decoding"].items())
        lines.append(f"{video['frames']} frames of a file, decoded and watched: times decoding them: {watched}")
    return lines


if __name__ == "__main__":
    main()
