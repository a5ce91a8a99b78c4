"""Rotation: frames come out as displayed, judged by the matrix in the mp4 header itself (ISO/IEC 14496-12)."""

import numpy as np
import pytest

from intpv.video.decode import decode
from intpv.video.sample import Sampler
from tests.video.numbered import MATRICES, with_matrix


def displayed(frame, a, b, c, d):
    """Move each stored pixel (x, y) to (a x + c y, b x + d y), shifted so that the picture starts at 0."""
    y, x = np.indices(frame.shape[:2])
    right, down = a * x + c * y, b * x + d * y
    right, down = right - right.min(), down - down.min()
    out = np.zeros((down.max() + 1, right.max() + 1, 3), dtype=np.uint8)
    out[down, right] = frame
    return out


@pytest.mark.parametrize("degrees", MATRICES)
def test_the_matrix_in_the_header_is_applied(short_clip, judge, degrees):
    a, b, c, d = MATRICES[degrees]
    with_matrix(short_clip, degrees)

    video = decode(str(short_clip), 4, Sampler())
    stored, _ = judge(short_clip)
    for frame, i in zip(video.frames.permute(0, 2, 3, 1).numpy(), video.indices, strict=True):
        assert np.array_equal(frame, displayed(stored[i], a, b, c, d))
