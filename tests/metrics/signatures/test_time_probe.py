"""From second moments alone: what scipy's least squares on the rows gives, each video judged by all others."""

import numpy as np
import pytest
import scipy.linalg
import torch

from intpv.metrics.signatures.time_probe import WIDTH, held_out, moments

TIMES = torch.linspace(0, 1, 8, dtype=torch.float64)


def _videos(count, width=12, noise=0.3, seed=0):
    """Tokens that carry their time in one direction."""
    g = torch.Generator().manual_seed(seed)
    return [
        TIMES[:, None, None] * torch.ones(width) + noise * torch.randn(8, 5, width, generator=g) for _ in range(count)
    ]


def _moments(videos):
    return torch.stack([moments(tokens, TIMES) for tokens in videos])


def test_least_squares_on_the_rows_agrees():
    videos = _videos(4)
    found = held_out(*[_moments(videos)] * 2)
    y = TIMES.repeat_interleave(5).numpy()
    for index, (error, r2) in enumerate(found):
        others = torch.cat([one.flatten(0, 1) for place, one in enumerate(videos) if place != index])
        design = np.c_[others.numpy(), np.ones(len(others))]
        weights, *_ = scipy.linalg.lstsq(design, np.tile(y, 3))
        residual = np.c_[videos[index].flatten(0, 1).numpy(), np.ones(len(y))] @ weights - y
        assert error == pytest.approx(np.sqrt(np.mean(residual**2)))
        assert r2 == pytest.approx(1 - np.mean(residual**2) / np.var(y))
        assert r2 > 0.5


@pytest.mark.parametrize("width", [12, 3 * WIDTH])
def test_shuffled_frames_cannot_be_read(width):
    videos = _videos(12, width)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    usual = _moments(videos)
    ordered, shuffled = (
        np.mean([error for error, _ in held_out(usual, judged)])
        for judged in (usual, _moments([tokens[order] for tokens in videos]))
    )
    assert ordered < 0.15 < 0.3 < shuffled


def test_tokens_without_time_have_no_r2():
    videos = _moments(list(torch.randn(10, 8, 5, 4, generator=torch.Generator().manual_seed(0))))
    assert abs(np.mean([r2 for _, r2 in held_out(videos, videos)])) < 0.1


def test_constant_tokens_and_times_are_finite():
    still = torch.stack([moments(torch.ones(8, 5, 4), torch.zeros(8))] * 3)
    assert np.isfinite(held_out(still, still)).all()
    assert moments(torch.ones(8, 5, 3 * WIDTH), TIMES).shape == (WIDTH + 2, WIDTH + 2)
