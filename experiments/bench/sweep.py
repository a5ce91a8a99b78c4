"""Measure what sharing saves: python -m experiments.bench sweep [rounds=3] [out=analysis/results/bench_sweep.json]

Mini model, flipbook. The alternative is what a loop over a script does: a process per cell, no cache, every question
with a prefill of its own. It gets the same cores, as many processes side by side. About 15 minutes on two cores.
"""

import itertools
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf

from intpv.cache.cache import Cache
from intpv.data.benchmark import ScoreBounds, VideoItem
from intpv.data.flipbook import Flipbook
from intpv.inference.viewing import Viewer
from intpv.record.run_folder import RunFolder

from ..run import build
from ..run.command import own_config, unchecked
from ..run.messages import explained
from ..run.names import PACKAGE
from ..run.provenance import provenance, write_result
from ..run.quiet import quiet
from ..run.threads import cores, set_threads
from .timing import alternate, spread

SAMPLE = {"frames": (8, 32), "rope_strategy": ("none", "yarn"), "kv_quant": ("none", "int2")}  # of the ablation's cells
QUESTIONS = 24  # per video, as MSRVTT-QA asks
VIDEOS = 10  # for the time per question


@dataclass(frozen=True)
class Apart(Flipbook):
    """The same benchmark with every question as a video of its own: nothing is watched once for many."""

    _owner: dict[str, VideoItem] = field(default_factory=dict, init=False, repr=False, compare=False)  # by question

    def items(self) -> list[VideoItem]:
        whole = super().items()
        self._owner.update({q.id: item for item in whole for q in item.questions})
        # a video's id is a file's name
        return [replace(item, id=q.id.replace("/", "-"), questions=(q,)) for item in whole for q in item.questions]

    def bounds(self, item: VideoItem, indices: Sequence[int]) -> list[ScoreBounds]:
        (asked,) = item.questions
        owner = self._owner[asked.id]
        return [super().bounds(owner, indices)[owner.questions.index(asked)]]


def main() -> None:
    with explained("bench sweep"):
        options = own_config("bench sweep", __doc__, {"rounds": 3, "out": "analysis/results/bench_sweep.json"})
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        result = {
            "what": "seconds; model mini, data flipbook; theirs / ours is how many times faster sharing is",
            "provenance": provenance(),
            "one_question": per_question(options.rounds),
            "views": views(place / "views", options.rounds),
            "sample_of_cells": {"cells": SAMPLE, **sweep_against_loop(place, options.rounds)},
            "whole_ablation": whole_ablation(place, options.rounds),
        }
    write_result(options.out, result)
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
        metrics = run.metrics()
        seconds_a_video, videos = metrics[f"time/{part}"], metrics["videos"]
        assert seconds_a_video is not None  # the cell is done
        assert videos is not None
        parts[part] += seconds_a_video * videos
    shared = "decode, encode and prefill as if each cell had done them; shared ones were done once"
    return {"cold_s": seconds[0], "again_s": spread(seconds[1:]), "cells": len(runs), "parts": parts, "note": shared}


def views(place: Path, rounds: int) -> dict:
    """Decoding and encoding all videos at 32 frames: from nothing, against a cache on disk and one in memory."""
    viewer, items = _viewer(32)
    found: dict[str, list[float]] = {"cold": [], "disk": [], "memory": []}
    for number in range(rounds):
        folder = place / str(number)
        for name in found:
            if name != "memory":  # which goes on with the one that disk has filled
                cache = Cache(folder)
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
    config, _ = unchecked([f"frames={frames}", "rope_strategy=yarn"])
    quiet()
    set_threads(1)
    reader, llm = instantiate(config["video"]), build.video_llm(config)
    return Viewer(llm, reader, build.cache(config), frames), build.benchmark(config).items()


def _evaluate(place: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", f"{PACKAGE}.evaluate", *arguments, "logger=none", "local=null"]
    places = [f"hydra.run.dir={place}/runs/${{folder:single}}/${{cell:}}", f"hydra.sweep.dir={place}/runs/${{folder:}}"]
    cache = [] if "cache=off" in arguments else [f"cache.dir={place / 'cache'}"]
    done = subprocess.run([*command, *places, *cache], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")


def _product() -> list[tuple]:
    return list(itertools.product(*SAMPLE.values()))


def _timed(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
