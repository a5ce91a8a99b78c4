"""The strip shows every frame once, in order, each with its index and time."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from intpv.video.strip import COLUMNS, GAP, WIDTH, save_strip, strip


def clip(frames, height=48, width=64):
    """Frames of one grey each, their indices and seconds."""
    grey = (torch.arange(frames) % 200 + 20).to(torch.uint8)
    pixels = grey[:, None, None, None].expand(frames, 3, height, width)
    return pixels, [3 * index for index in range(frames)], 0.25 * torch.arange(frames)


def centres(picture, height):
    return picture[height // 2 :: height + GAP, WIDTH // 2 :: WIDTH + GAP, 0].flatten().tolist()


@pytest.mark.parametrize(("frames", "rows", "columns"), [(1, 1, 1), (3, 1, 3), (8, 1, 8), (12, 2, 8)])
def test_frames_stand_in_reading_order(frames, rows, columns, tmp_path):
    seen = clip(frames)
    picture = strip(*seen)
    assert picture.shape == (124 * rows - GAP, 164 * columns - GAP, 3)
    assert centres(picture, 120)[:frames] == seen[0][:, 0, 0, 0].tolist()
    assert set(centres(picture, 120)[frames:]) <= {255}
    save_strip(*seen, tmp_path / "strip.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "strip.png")), picture)


def test_each_frame_says_its_index_and_its_seconds(monkeypatch):
    written = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda self, place, text, **_: written.append(text))
    strip(*clip(3))
    assert written == ["#0  0.00 s", "#3  0.25 s", "#6  0.50 s"]


def test_the_words_lie_in_their_own_frame_even_of_a_long_video():
    pixels, _, _ = clip(2)
    late = strip(pixels, [123456, 123457], torch.tensor([98765.43, 98765.53]))
    assert (late[:, WIDTH : WIDTH + GAP] == 255).all()
    assert np.unique(late[:20, :WIDTH]).size > 10  # letters, smoothed


def test_of_many_frames_some_are_shown_from_the_first_to_the_last():
    seen = clip(150)
    shown = centres(strip(*seen, most=16), 120)
    assert len(shown) == 16
    assert (shown[0], shown[-1]) == (20, 169)
    steps = np.diff(shown)
    assert steps.max() - steps.min() <= 1
    assert centres(strip(*clip(5), most=16), 120) == centres(strip(*clip(5)), 120)


@pytest.mark.parametrize(("height", "width"), [(1, 4000), (4000, 1), (1080, 1920), (1920, 1080)])
def test_no_shape_makes_a_picture_too_large(height, width):
    picture = strip(*clip(64, height, width), most=64)
    assert picture.shape[1] == COLUMNS * (WIDTH + GAP) - GAP
    assert picture.shape[0] <= 8 * (4 * WIDTH + GAP)
