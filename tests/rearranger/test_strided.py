"""Strided: the paper's formula, and the permutation of the reference run with the original tower."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from intpv.rearranger.strided import Strided

GOLDEN = Path(__file__).parents[1] / "golden" / "languagebind.safetensors"


@pytest.mark.parametrize("frames", [8, 16, 32, 64])
def test_takes_every_mth_frame(frames):
    m = frames // 8
    assert Strided().order(frames, 8).tolist() == [list(range(j, frames, m)) for j in range(m)]


def test_is_the_order_of_the_reference_run():
    with safe_open(GOLDEN, "pt") as file:
        feed_order = json.loads(file.metadata()["strided_feed_order_16"])
    assert Strided().order(16, 8).flatten().tolist() == feed_order
