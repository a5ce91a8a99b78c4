"""Measure what sharing saves: python -m experiments.bench_sweep [rounds=3] [out=analysis/results/bench_sweep.json]

Mini model, flipbook. The alternative is what a loop over a script does: a process per cell, no cache, every question
with a prefill of its own. It gets the same cores, as many processes side by side. About 15 minutes on two cores.
"""

import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from intpv.cache.cache import Cache
from intpv.data.flipbook import Flipbook
from intpv.data.item import VideoItem
from intpv.record.atomic import write_json
from intpv.record.run_folder import RunFolder
from intpv.viewing import Viewer

from . import build
from .alternating import alternate, machine, spread
from .command_line import CONF
from .naming import register_resolvers
from .quiet import quiet
from .threads import cores, set_threads

SAMPLE = {"frames": (8, 32), "rope_strategy": ("none", "yarn"), "kv_quant": ("none", "int2")}  # of the ablation's cells
QUESTIONS = 24  # per video, as MSRVTT-QA asks
VIDEOS = 10  # for the time per question


@dataclass(frozen=True)
class Apart(Flipbook):
    """The same benchmark with every question as a video of its own: nothing is watched once for many."""

    def items(self) -> list[VideoItem]:
        whole = super().items()
        object.__setattr__(self, "_owner", {q.id: item for item in whole for q in item.questions})
        return [replace(item, id=q.id, questions=(q,)) for item in whole for q in item.questions]

    def bounds(self, item: VideoItem, indices) -> list[dict]:
        owner = self._owner[item.id]
        return [super().bounds(owner, indices)[[q.id for q in owner.questions].index(item.id)]]


def main() -> None:
    options = OmegaConf.merge(
        {"rounds": 3, "out": "analysis/results/bench_sweep.json"}, OmegaConf.from_cli(sys.argv[1:])
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        result = {
            "what": "seconds; model mini, data flipbook; theirs / ours is how many times faster sharing is",
            "machine": machine(),
            "one_question": per_question(options.rounds),
            "views": views(place / "views", options.rounds),
            "sample_of_cells": {"cells": SAMPLE, **sweep_against_loop(place, options.rounds)},
            "whole_ablation": whole_ablation(place, options.rounds),
        }
    write_json(Path(options.out), result)
    print(OmegaConf.to_yaml(result))


def sweep_against_loop(place: Path, rounds: int) -> dict:
    """The sample as one sweep with an empty cache, and as separate processes."""

    def ours() -> None:
        shutil.rmtree(place / "runs", ignore_errors=True)
        shutil.rmtree(place / "cache", ignore_errors=True)
        _evaluate(place, "-m", *(f"{key}={','.join(map(str, values))}" for key, values in SAMPLE.items()))

    def theirs() -> None:
        shutil.rmtree(place / "runs", ignore_errors=True)
        apart = [f"data._target_={__spec__.name}.Apart", "cache=off", "trainer.threads=1"]
        cells = [[f"{key}={value}" for key, value in zip(SAMPLE, cell, strict=True)] for cell in _product()]
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda cell: _evaluate(place, *cell, *apart), cells))

    return alternate(ours, theirs, rounds)


def whole_ablation(place: Path, rounds: int) -> dict:
    """All 80 cells with an empty cache, then the same command again; and where the cells' own seconds went."""
    shutil.rmtree(place / "runs", ignore_errors=True)
    shutil.rmtree(place / "cache", ignore_errors=True)
    seconds = [_timed(lambda: _evaluate(place, "-m", "experiment=mini_ablation")) for _ in range(rounds + 1)]
    runs = [RunFolder(status.parent) for status in place.glob("runs/mini_ablation/*/status.json")]
    parts = {part: 0.0 for part in ("decode_s", "encode_s", "prefill_s", "pack_s", "ask_s")}
    for part, run in itertools.product(parts, runs):
        parts[part] += run.metrics()[f"time/{part}"] * run.metrics()["videos"]
    shared = "decode, encode and prefill as if each cell had done them; shared ones were done once"
    return {"cold_s": seconds[0], "again_s": spread(seconds[1:]), "cells": len(runs), "parts": parts, "note": shared}


def views(place: Path, rounds: int) -> dict:
    """Decoding and encoding all videos at 32 frames: from nothing, against a cache on disk and one in memory."""
    viewer, items = _viewer(32)
    found: dict[str, list[float]] = {"cold": [], "disk": [], "memory": []}
    for number in range(rounds):
        folder = place / str(number)
        for name in found:
            cache = Cache(folder) if name != "memory" else cache
            found[name].append(_timed(lambda cache=cache: [replace(viewer, cache=cache).view(item) for item in items]))
    shares = {name: [w / c for w, c in zip(found[name], found["cold"], strict=True)] for name in ("disk", "memory")}
    return {
        **{f"{name}_s": spread(values) for name, values in found.items()},
        **{f"{name}_share_of_cold": spread(values) for name, values in shares.items()},
    }


def per_question(rounds: int) -> dict:
    """Watch once and ask 24, against a prefill for each; both have the tower's output at hand, which favours theirs."""
    viewer, items = _viewer(32)
    llm = viewer.video_llm
    seen = [(viewer.view(item), [q.text for q in item.questions], item) for item in items[:VIDEOS]]
    asked = [(view, list(itertools.islice(itertools.cycle(texts), QUESTIONS)), item) for view, texts, item in seen]

    def ours() -> None:
        for view, texts, item in asked:
            llm.ask(llm.pack(llm.prefill(view.features, view.timestamps, item.id)), texts)

    def theirs() -> None:
        for view, texts, item in asked:
            for text in texts:
                llm.ask(llm.pack(llm.prefill(view.features, view.timestamps, item.id)), [text])

    ours()  # warm
    return {"frames": 32, "questions_per_video": QUESTIONS, "videos": VIDEOS, **alternate(ours, theirs, 2 * rounds + 1)}


def _viewer(frames: int) -> tuple[Viewer, list[VideoItem]]:
    register_resolvers(__package__)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("config", [f"frames={frames}", "rope_strategy=yarn"]), resolve=True)
    quiet()
    set_threads(1)
    reader, llm = instantiate(config["video"]), build.video_llm(config)
    return Viewer(llm, reader, build.cache(config), frames), build.benchmark(config).items()


def _evaluate(place: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", f"{__package__}.evaluate", *arguments, "logger=none"]
    places = [f"hydra.run.dir={place}/runs/${{sweep.name}}/${{cell:}}", f"hydra.sweep.dir={place}/runs/${{sweep.name}}"]
    cache = [] if "cache=off" in arguments else [f"cache.dir={place / 'cache'}"]
    subprocess.run([*command, *places, *cache], check=True, capture_output=True)


def _product() -> list[tuple]:
    return list(itertools.product(*SAMPLE.values()))


def _timed(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
