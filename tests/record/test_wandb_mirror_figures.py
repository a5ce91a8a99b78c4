"""Figures in W&B's offline file: the picture itself and its numbers as a table, before the run ends."""

import numpy as np
import pytest
from PIL import Image

from intpv.logger.mirror import Figure
from intpv.logger.wandb import WandbMirror

from .wandb_files import ended_runs

ROWS = [{"layer": 0, "head": head, "local/kl/all": 0.25 * head} for head in range(3)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell")
    for value, name in enumerate(("attention_kl", "memory")):
        Image.fromarray(np.full((20, 30, 3), 60 * value, np.uint8)).save(folder / f"{name}.png")
    return [Figure(name, folder / f"{name}.png", ROWS) for name in ("attention_kl", "memory")]


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("mirror")
    mirror = WandbMirror(dir=str(folder), strips=0)
    mirror.start("sweep", "cell", {"frames": 8}, {})
    mirror.figures(pictures)
    mirror.finish({"accuracy": 0.5}, failed=False)
    (found,) = ended_runs(folder, 1).values()
    return found


def test_each_picture_is_in_the_runs_folder_pixel_by_pixel(run, pictures):
    for figure in pictures:
        logged = {name: run.metrics[f"figures/{figure.key}/{name}"] for name in ("_type", "format", "path")}
        assert (logged["_type"], logged["format"]) == ("image-file", "png")
        with Image.open(run.folder / "files" / logged["path"]) as there, Image.open(figure.path) as here:
            assert np.array_equal(np.asarray(there.convert("RGB")), np.asarray(here))


def test_each_has_its_numbers_as_a_table(run, pictures):
    for figure in pictures:
        assert run.table(f"tables/{figure.key}") == ROWS


def test_metrics_and_state_are_there_as_without(run):
    assert (run.metrics["accuracy"], run.state) == (0.5, "finished")


def test_a_picture_that_is_not_there_is_one_warning(tmp_path, pictures, caplog):
    mirror = WandbMirror(dir=str(tmp_path), strips=0)
    mirror.start("sweep", "cell", {"frames": 8}, {})
    mirror.figures([Figure("gone", tmp_path / "gone.png", ROWS)])
    mirror.finish({"accuracy": 0.5}, failed=False)
    (found,) = ended_runs(tmp_path, 1).values()
    assert found.metrics["accuracy"] == 0.5
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("WandbMirror: ")


def test_without_a_run_nothing_happens(pictures):
    WandbMirror().figures(pictures)
