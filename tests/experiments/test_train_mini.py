"""The train_mini verb: it resumes without running code, leaves shipped weights alone and saves what is finished."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from experiments import train_mini
from experiments.run.training import made_by, parts_of, training_table
from intpv.shipped import EMBEDDED

from ..model.test_refusals import Harm

ROOT = Path(__file__).parents[2]
SMALL = ("batch=2", "tower_steps=2", "text_steps=2", "compile=false", "threads=1", "every=2")


@pytest.fixture
def ended(monkeypatch, capsys, tmp_path):
    """(exit code, standard error) of a verb that has nothing to train."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["train_mini", *SMALL, *arguments])
        with pytest.raises(SystemExit) as end:
            train_mini.main()
        return end.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("stpes=8", "there is no key stpes: did you mean steps?"),
        ("recipe.steps=8", "there is no key recipe.steps"),
        ("frames=8", "there is no key frames"),
        ("steps", "steps cannot be read: write key=value"),
        ("steps=many", "Value 'many' of type 'str' could not be converted to Integer"),
        ("steps=0", "steps must be at least 1, got 0"),
        ("batch=-1", "batch must be at least 1, got -1"),
        ("warmup=-1", "warmup must be at least 0, got -1"),
        ("learning_rate=nan", "learning_rate must be at least 0, got nan"),
        ("until=9000", "until must be at most steps=4800, got 9000"),
        ("model=maxi", "model must be mini or mini_long, got maxi"),
    ],
)
def test_what_is_no_option_is_one_line_and_nothing_is_written(ended, tmp_path, argument, line):
    code, said = ended(argument)
    assert code == 2
    assert line in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_runs_code_is_refused_and_does_not_run(ended, tmp_path):
    mark, file = tmp_path / "mark", tmp_path / "out/last.ckpt"
    file.parent.mkdir()
    torch.save({"global_step": 2, "harm": Harm(mark)}, file)
    code, said = ended("out=out")
    assert (code, said) == (
        2,
        "train_mini: out/last.ckpt holds more than a training's state: delete it, or choose another out\n",
    )
    assert not mark.exists()


@pytest.mark.parametrize(
    ("lay", "line"),
    [
        (lambda file: file.write_bytes(b"half"), "last.ckpt cannot be read, delete it or choose another out: "),
        (lambda file: file.mkdir(), "last.ckpt: Is a directory"),
        (os.mkfifo, "last.ckpt: Not a regular file"),
        (lambda file: file.symlink_to("/dev/zero"), "last.ckpt: Not a regular file"),
        (lambda file: torch.save({"epoch": 3}, file), "last.ckpt cannot be read, delete it or choose another out: "),
    ],
    ids=["damaged", "folder", "pipe", "device", "foreign"],
)
def test_a_checkpoint_that_is_none_is_one_line(ended, tmp_path, lay, line):
    (tmp_path / "out").mkdir()
    lay(tmp_path / "out/last.ckpt")
    code, said = ended("out=out")
    assert code == 2
    assert line in said
    assert len(said.splitlines()) == 1


def train(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "experiments.train_mini", *SMALL, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_stopped_run_ends_as_an_uninterrupted_one(tmp_path, ended):
    """The recipe's length shapes the learning rate, so the run is stopped by `until`, not by a shorter recipe."""
    # where the shipped weights lie if the command is given in a clone
    shipped = tmp_path / "intpv/weights/mini/0/model.safetensors"
    shipped.parent.mkdir(parents=True)
    shipped.write_bytes((EMBEDDED / "model.safetensors").read_bytes())
    before = hashlib.sha256(shipped.read_bytes()).digest()
    train(tmp_path, "steps=8", "out=whole", "save=one")
    assert "4 of 8 steps are done" in train(tmp_path, "steps=8", "until=4", "out=halves")
    assert not (tmp_path / "halves/model").exists()  # half trained
    assert "begun with batch=2, got 3" in ended("steps=8", "out=halves", "batch=3")[1]
    train(tmp_path, "steps=8", "out=halves")
    for part in ("model.safetensors", "encoder/model.safetensors"):
        one, two = load_file(tmp_path / "one" / part), load_file(tmp_path / "halves/model" / part)
        assert all(torch.equal(one[key], two[key]) for key in one)
    told = json.loads((tmp_path / "halves/model/intpv.json").read_text())["training"]
    assert [part["from_step"] for part in told["made_by"]] == [0, 4]
    assert all(part["command"].startswith("python -m experiments.train_mini batch=2") for part in told["made_by"])
    assert told["recipe"]["steps"] == 8
    assert hashlib.sha256(shipped.read_bytes()).digest() == before
    assert not (tmp_path / "whole/model").exists()


def test_curves_are_of_the_run_that_made_the_weights(tmp_path):
    """What the first part did after its last checkpoint was done again by the second."""
    for start, rows in {0: "99,,0.5\n199,0.25,0.4\n299,0.3,0.9", 200: "299,0.75,0.31234567"}.items():
        (tmp_path / f"from-{start}").mkdir()
        (tmp_path / f"from-{start}/metrics.csv").write_text(f"step,accuracy,loss\n{rows}\n")
        (tmp_path / f"from-{start}.json").write_text("{}")
    parts = parts_of(tmp_path)
    assert [start for start, _ in parts] == [0, 200]
    assert training_table(parts) == "step,accuracy,loss\n99,,0.5\n199,0.25,0.4\n299,0.75,0.3123\n"


def test_a_folder_of_the_machine_is_stated_by_its_name(tmp_path):
    (tmp_path / "from-200.json").write_text('{"command": "python -m x seed=1 out=/home/me/b save=c/d every=2"}')
    told = made_by(200, tmp_path / "from-200")
    assert told == {"from_step": 200, "command": "python -m x seed=1 out=b save=d every=2"}


def test_a_longer_window_and_shorter_steps_are_all_that_mini_long_changes():
    one, other = (train_mini.options_of([f"model={name}"]).recipe for name in ("mini", "mini_long"))
    assert (one.window, other.window) == (160, 640)
    assert replace(other, window=160, least_step=1.0) == one
    assert train_mini.options_of(["model=mini_long", "window=320"]).recipe.window == 320
