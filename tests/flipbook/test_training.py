"""Training the mini model: it learns, and a stopped run goes on where it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
SMALL = ("batch=2", "tower_steps=2", "text_steps=2", "compile=false", "threads=1", "every=2")


def train(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "experiments.train_mini", *SMALL, *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=300)


@pytest.mark.slow
def test_a_stopped_run_ends_as_an_uninterrupted_one(tmp_path):
    """The recipe's length shapes the learning rate, so the run is stopped by `until`, not by a shorter recipe."""
    train(tmp_path, "steps=8", "out=whole", "save=one")
    train(tmp_path, "steps=8", "until=4", "out=halves", "save=two")
    train(tmp_path, "steps=8", "out=halves", "save=two")
    for part in ("model.safetensors", "encoder/model.safetensors"):
        one, two = load_file(tmp_path / "one" / part), load_file(tmp_path / "two" / part)
        assert all(torch.equal(one[key], two[key]) for key in one)
