"""Preprocessing, judged by PIL and by its own laws."""

import numpy as np
import pytest
import torch
from PIL import Image

from intpv.errors import BadInput
from intpv.preprocess.clip import CLIP_MEAN, CLIP_STD, Preprocess

SIZES = [(48, 64), (360, 640), (720, 406), (224, 224), (100, 101), (225, 400)]


def frames_of(height, width, count=2):
    """Smooth waves with some noise, uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(x / (7 + k) + c) * np.cos(y / (11 + k)) for k in range(count) for c in range(3)]
    noisy = np.stack(waves).reshape(count, 3, height, width) + rng.normal(0, 10, (count, 3, height, width))
    return torch.from_numpy(noisy.clip(0, 255).astype(np.uint8))


def by_pil(frame, size, filter_):
    image = Image.fromarray(frame.permute(1, 2, 0).numpy())
    short = min(image.size)
    image = image.resize((image.width * size // short, image.height * size // short), filter_)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return torch.from_numpy(np.array(image.crop((left, top, left + size, top + size)))).permute(2, 0, 1) / 255


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize(("resize", "filter_"), [("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)])
@pytest.mark.parametrize("size", [48, 224])
def test_it_is_pils_resize_and_crop(shape, resize, filter_, size):
    frames = frames_of(*shape)
    out = Preprocess(size=size, resize=resize, mean=(0, 0, 0), std=(1, 1, 1))(frames)
    assert out.shape == (2, 3, size, size)
    expected = torch.stack([by_pil(frame, size, filter_) for frame in frames])
    assert (out - expected).abs().max() <= 1.01 / 255


def test_mean_and_std_come_last():
    frames = frames_of(64, 64)
    plain = Preprocess(size=48, mean=(0, 0, 0), std=(1, 1, 1))(frames)
    mean, std = torch.tensor(CLIP_MEAN)[:, None, None], torch.tensor(CLIP_STD)[:, None, None]
    assert torch.allclose(Preprocess(size=48)(frames), (plain - mean) / std, atol=1e-6)


def test_pictures_of_the_right_size_are_not_touched():
    frames = frames_of(48, 48)
    assert torch.equal(Preprocess(size=48, mean=(0, 0, 0), std=(1, 1, 1))(frames), frames / 255)


@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
def test_without_antialiasing_it_is_a_plain_interpolation(resize):
    frames = frames_of(96, 96)
    out = Preprocess(size=48, resize=resize, antialias=False, mean=(0, 0, 0), std=(1, 1, 1))(frames)
    plain = torch.nn.functional.interpolate(frames.float(), size=48, mode=resize).round().clamp(0, 255) / 255
    assert torch.allclose(out, plain, atol=1e-6)


def test_what_a_cache_keeps_is_whole_numbers_and_gives_the_same_pixels():
    preprocess, frames = Preprocess(size=48), frames_of(60, 90)
    kept = preprocess.fit(frames)
    assert kept.dtype == torch.uint8
    assert kept.shape == (2, 3, 48, 48)
    assert torch.equal(preprocess.normalise(kept), preprocess(frames))


def test_a_frame_does_not_depend_on_the_others():
    frames = frames_of(60, 90, count=11)
    together = Preprocess(size=48)(frames)
    assert all(torch.equal(Preprocess(size=48)(frames[i : i + 1])[0], together[i]) for i in range(11))


def test_lists_from_yaml_keep_the_settings_hashable():
    assert hash(Preprocess(mean=list(CLIP_MEAN))) == hash(Preprocess())
    with pytest.raises(BadInput, match=r"bilinear or bicubic, got nearest"):
        Preprocess(resize="nearest")
