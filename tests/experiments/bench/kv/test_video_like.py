"""Drawn layers obey the laws that they name."""

from dataclasses import replace

import pytest
import torch

from experiments.bench.kv.prefix import VideoLike, rotated, sharpness

from .conftest import SMALL


@pytest.fixture(scope="module")
def drawn():
    return VideoLike(heads=4, rows=32).draw(0)


def test_a_seed_is_a_specimen(small):
    again, other = SMALL.draw(0), SMALL.draw(1)
    for mine, same, another in zip(small.layers[0], again.layers[0], other.layers[0], strict=True):
        assert torch.equal(mine, same)
        assert not torch.equal(mine, another)
    assert torch.equal(small.asked[0].q, again.asked[0].q)


def test_keys_before_rope_have_outlier_channels_and_correlated_patches(drawn):
    turned_back = rotated(drawn.layers[0][0], -drawn.angles)
    mean, deviation = turned_back.mean(1), turned_back.std(1)
    ratio = (mean / deviation).abs()
    outliers = ratio > 4
    assert outliers.sum(1).tolist() == [5] * 4
    assert ratio[outliers].median() == pytest.approx(8, rel=0.1)
    assert ratio[~outliers].max() < 1
    assert deviation.log().std() == pytest.approx(0.5, rel=0.15)  # log-normal scales
    for x in ((turned_back - mean[:, None]) / deviation[:, None], drawn.layers[0][1]):
        frames = x.view(4, 16, 256, 128)
        same, other = frames[:, 3], frames[:, 11]
        correlation = (same * other).mean() / (same.square().mean() * other.square().mean()).sqrt()
        if x is not drawn.layers[0][1]:  # values have a scale per token, of its own in every frame
            assert correlation == pytest.approx(0.77, abs=0.03)
        assert abs((same * other.roll(1, 1)).mean() / same.square().mean()) < 0.05


@pytest.mark.parametrize("width", [8.0, 23.0])
def test_queries_attend_as_widely_as_asked(drawn, width):
    specimen = drawn if width == 23.0 else replace(SMALL, width=width).draw(0)
    assert sharpness(specimen.asked[0].q, specimen.layers[0][0])["width"] == pytest.approx(width, rel=0.05)


def test_the_default_width_comes_with_the_named_mass_on_the_first_key(drawn):
    assert sharpness(drawn.asked[0].q, drawn.layers[0][0])["top1"] == pytest.approx(0.35, abs=0.05)
