"""What is no shape is refused in one line that names the field and the value."""

import pytest

from intpv.cost.shape import SHAPES, read
from intpv.errors import BadInput


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"layers": 0}, "layers must be a whole number of at least 1, got 0"),
        ({"layers": -2}, "layers must be a whole number of at least 1, got -2"),
        ({"head_dim": 1.5}, "head_dim must be a whole number of at least 1, got 1.5"),
        ({"head_dim": "²"}, "head_dim must be a whole number of at least 1, got ²"),
        ({"kv_heads": 5}, "heads must be a multiple of kv_heads=5, got 32"),
        ({"patch_size": 15}, "image_size must be a multiple of patch_size=15, got 224"),
        ({"tower_run": 25}, "tower_run must be at most tower_layers=24, got 25"),
    ],
)
def test_a_change_that_cannot_be_used(changes, line):
    with pytest.raises(BadInput, match=f"^{line}"):
        read("video_llava_7b", changes)


def test_an_unknown_shape():
    with pytest.raises(BadInput, match=r"^shape must be one of video_llava_7b, got video_llava_13b$"):
        read("video_llava_13b")


def test_changes_come_in_together():
    shape = read("video_llava_7b", {"heads": 28, "kv_heads": 7})
    assert (shape.heads, shape.kv_heads, shape.layers) == (28, 7, 32)


@pytest.mark.parametrize("frames", [0, 4, 12])
def test_frames_come_in_groups(frames):
    with pytest.raises(BadInput, match=f"^frames must be a multiple of 8, the tower's group length, got {frames}$"):
        SHAPES["video_llava_7b"].groups(frames)
