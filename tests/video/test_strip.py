"""The strip shows every frame once, in order."""

import pytest
import torch
from PIL import Image

from intpv.video.strip import save_strip, strip


@pytest.mark.parametrize(("frames", "rows", "columns"), [(3, 1, 3), (8, 1, 8), (12, 2, 8)])
def test_frames_stand_in_reading_order(frames, rows, columns, tmp_path):
    grey = torch.arange(1, frames + 1, dtype=torch.uint8) * 20
    picture = strip(grey[:, None, None, None].expand(frames, 3, 48, 64))
    assert picture.shape == (96 * rows, 128 * columns, 3)
    centres = picture[48::96, 64::128, 0].flatten()
    assert centres[:frames].tolist() == grey.tolist()
    assert not centres[frames:].any()
    save_strip(grey[:, None, None, None].expand(frames, 3, 48, 64), tmp_path / "strip.png")
    assert Image.open(tmp_path / "strip.png").size == (128 * columns, 96 * rows)
