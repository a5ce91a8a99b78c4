"""A made-up sweep: run folders as Hydra and RunFolder leave them, filled with drawn answers."""

import shutil
from itertools import product

import numpy as np
import pytest
import yaml

from intpv.metrics.cell import summarise
from intpv.record.run_folder import RunFolder

BITS = {"none": 16, "int8": 8.5, "int4": 4.5, "int2": 2.5}
SEEDS = ("seed", "data.seed", "model.seed")  # the last is left out where there is one training
FULL_BYTES = 40_000  # of the prefix per frame in full precision


@pytest.fixture(scope="session")
def answers():
    """Lines of `videos` clips of four questions, half slow and half fast, answered with the given probability."""

    def make(probability=0.7, videos=20, seed=0, regimes=("slow", "fast")):
        rng = np.random.default_rng(seed)
        lines = []
        for video, question in product(range(videos), range(4)):
            right = bool(rng.random() < probability)
            said = ("yes" if right else "no") if rng.random() < 0.9 else "maybe"
            lines.append(
                {
                    "id": f"v{video:04}/{question}",
                    "video": f"v{video:04}",
                    "kind": ("presence", "order")[question % 2],
                    "labels": {"regime": regimes[video % len(regimes)]} if regimes else {},
                    "question": "Did red flash?",
                    "options": ["yes", "no"],
                    "answer": "yes",
                    "prediction": said,
                    "correct": said == "yes",
                    "valid": said != "maybe",
                    "ceiling": 0.95,
                    "blind": 0.5,
                    "choice": "yes" if right else "no",
                    "loglik": [-0.5, -1.0],
                    "error": None,
                }
            )
        return lines

    return make


@pytest.fixture(scope="session")
def write_cell():
    """Write one cell's run folder; `lines` None leaves it as it is just after the start, an exception fails it."""

    def write(sweep, rope="yarn", frames=8, kv="none", lines=None, rearranger="strided", overrides=(), seeds=(0, 0)):
        name = "-".join(
            [
                rearranger,
                rope,
                f"f{frames}",
                kv,
                *(one.replace("=", "_") for one in overrides),
                *(f"s{seed}" for seed in seeds if seed),
            ]
        )
        hydra = sweep / name / ".hydra"
        hydra.mkdir(parents=True)
        chosen = {"rearranger": rearranger, "rope_strategy": rope, "kv_quant": kv}
        choices = {**chosen, "encoder": "languagebind", "model": "mini", "data": "flipbook", "trainer": "auto"}
        named = [f"{group}={option}" for group, option in chosen.items()]
        seeded = [f"{key}={seed}" for key, seed in zip(SEEDS, seeds, strict=False) if seed]
        config = {"frames": frames, "seed": seeds[0], **{group: {"_target_": group} for group in choices}}
        for group, seed in zip(("data", "model"), seeds[1:], strict=False):
            config[group]["seed"] = seed
        for file, content in {
            "config": config,
            "hydra": {"hydra": {"runtime": {"choices": choices}}},
            "overrides": ["experiment=made_up", f"frames={frames}", *named, *seeded, *overrides],
        }.items():
            (hydra / f"{file}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        run = RunFolder(sweep / name)
        if isinstance(lines, Exception):
            run.open({})
            run.fail(lines)
        elif lines is not None:
            videos = sorted({line["video"] for line in lines})
            run.open({video: [line["id"] for line in lines if line["video"] == video] for video in videos})
            for video in videos:
                run.append([line for line in lines if line["video"] == video])
            size = FULL_BYTES * frames * BITS[kv] / 16
            costs = {"kv/bytes": size, "kv/bits_per_element": BITS[kv], "time/watch_s": 0.01 * frames}
            run.finish({**summarise(lines), **costs, "time/ask_s": 0.0456, "frames": frames, "groups": frames // 8})
        return sweep / name

    return write


@pytest.fixture(scope="session")
def _sweep(tmp_path_factory, write_cell, answers):
    folder = tmp_path_factory.mktemp("sweeps") / "made_up"
    for seed, (rope, frames, kv) in enumerate(product(("none", "yarn"), (8, 32), ("none", "int2"))):
        if (rope, frames, kv) == ("yarn", 32, "int2"):
            lines = MemoryError("40 GB asked\nof 8")
        else:
            lines = answers(0.9 if rope == "yarn" or frames == 8 else 0.5, seed=seed)
        write_cell(folder, rope, frames, kv, lines)
    return folder


@pytest.fixture
def sweep(_sweep, tmp_path):
    """2 strategies x 2 frame counts x 2 KV levels, one of them out of memory."""
    return shutil.copytree(_sweep, tmp_path / "made_up")
