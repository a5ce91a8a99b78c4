"""Random: drawn by video id and seed alone, the same in every process."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from intpv.rearranger.random import Random


def tables() -> list:
    return [Random(seed).order(32, 8, video).tolist() for seed in (0, 1) for video in ("cat", "dog")]


def test_is_reproducible():
    assert tables() == tables()


def test_differs_between_videos_and_seeds():
    assert all(a != b for a, b in combinations(tables(), 2))


@pytest.mark.slow
def test_is_the_same_in_another_process():
    program = "from intpv.rearranger.random import Random; print(Random(3).order(16, 8, 'cat').tolist())"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert json.loads(run.stdout) == Random(3).order(16, 8, "cat").tolist()
