"""A small drawn layer for all."""

import pytest

from experiments.bench.kv.prefix import VideoLike

SMALL = VideoLike(heads=2, head_dim=32, frames=16, patches=16, rows=32, width=8.0)


@pytest.fixture(scope="package")
def small():
    return SMALL.draw(0)
