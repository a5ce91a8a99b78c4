"""The W&B mirror's cells, judged by reading the offline files back."""

import os

import numpy as np
import pytest
from PIL import Image

from intpv.logger.wandb import TAG, WandbMirror, run_id

from ..record.wandb_files import ended_runs

CONFIG = {"frames": 32, "rearranger": {"name": "strided", "order": [0, 2]}, "rope_strategy": {"factor": 4.0}}
CHOICES = {"rearranger": "strided", "rope_strategy": "yarn", "experiment": None, "model": "long-" * 20}
METRICS = {"accuracy": 0.75, "accuracy/order": 0.5, "kv/bytes": 1024, "skill": None}
GOOD, BAD = run_id("sweep", "strided-f32"), run_id("sweep", "strided-f64")


def strip(value):
    return np.full((96, 192, 3), value, np.uint8)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two cells mirrored by one process, the second of them failed after its first video."""
    folder = tmp_path_factory.mktemp("mirror")
    mirror = WandbMirror(dir=str(folder), entity="group", strips=2, questions=4)
    records = [
        {
            "id": f"v/{i}", "video": "v", "kind": "order", "labels": {}, "question": "Was war zuerst grün?",
            "options": ["rot", "grün"], "answer": "grün", "prediction": "rot\x1b[2J", "correct": False, "valid": True,
            "choice": "rot", "loglik": [-1.0], "ceiling": 0.9 if i else None, "blind": 0.5, "error": None,
        }
        for i in range(3)
    ]  # fmt: skip
    mirror.start("sweep", "strided-f32", CONFIG, CHOICES)
    for value in (10, 20, 30):
        mirror.video(records, strip(value))
    mirror.finish(METRICS, failed=False)
    mirror.start("sweep", "strided-f64", CONFIG | {"frames": 64}, CHOICES)
    mirror.video(records[:1], None)
    mirror.finish({}, failed=True)
    return ended_runs(folder, 2)


def test_two_cells_of_one_process_are_two_runs(runs):
    assert set(runs) == {GOOD, BAD}
    assert [runs[name].config["frames"] for name in (GOOD, BAD)] == [32, 64]


def test_the_run_carries_sweep_cell_options_config_and_every_metric(runs):
    run = runs[GOOD]
    assert (run.group, run.name, run.job_type) == ("sweep", "strided-f32", "cell")
    assert (run.project, run.entity) == ("intpv", "group")
    assert {name: run.config[name] for name in CONFIG} == CONFIG
    assert run.config["choices"] == {name: option for name, option in CHOICES.items() if option}
    logged = {name: value for name, value in METRICS.items() if value is not None}
    assert {name: run.metrics.get(name) for name in logged} == logged
    assert "skill" not in run.metrics


def test_tags_are_the_chosen_options_cut_to_what_is_allowed(runs):
    assert runs[GOOD].tags == [f"model={CHOICES['model']}"[:TAG], "rearranger=strided", "rope_strategy=yarn"]


def test_a_failed_cell_ends_failed(runs):
    assert (runs[GOOD].state, runs[BAD].state) == ("finished", "failed")


def test_the_first_videos_are_shown_with_their_frames(runs):
    rows = runs[GOOD].table("samples")
    assert [row["id"] for row in rows] == ["v/0", "v/1", "v/2", "v/0"]
    assert (rows[1]["options"], rows[1]["correct"], rows[1]["ceiling"]) == ("rot, grün", False, 0.9)
    assert rows[0]["ceiling"] is None
    pictures = [np.asarray(Image.open(runs[GOOD].staged[row["frames"]["path"]])) for row in rows]
    assert [picture.shape for picture in pictures] == [(96, 192, 3)] * 4
    assert [int(picture.mean()) for picture in pictures] == [10, 10, 10, 20]


def test_a_video_without_frames_is_shown_without(runs):
    (row,) = runs[BAD].table("samples")
    assert row["frames"] is None
    assert row["prediction"] == "rot\\x1b[2J"  # what an answer holds is shown, not obeyed


def test_whatever_is_uploaded_later_lies_in_the_run_s_own_folder(runs):
    for run in runs.values():
        assert run.staged
        assert all(file.is_relative_to(run.folder) for file in run.staged.values())
    assert "WANDB_DATA_DIR" not in os.environ
