"""Preprocessing of the published models, judged by transformers' PIL processors and the original's float pipeline."""

from math import floor
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image
from torch.nn.functional import interpolate
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen3_vl.video_processing_qwen3_vl import smart_resize as qwen3_size
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.video_llava.image_processing_video_llava import VideoLlavaImageProcessor

from intpv.errors import BadInput
from intpv.preprocess.clip import Preprocess
from intpv.preprocess.pixels import CLIP_MEAN, CLIP_STD
from intpv.preprocess.qwen2_5_vl import Smart
from intpv.preprocess.qwen3_vl import SmartVolume
from intpv.preprocess.siglip import Square
from intpv.preprocess.video_llava import TensorCrop

CONF = Path(__file__).parents[2] / "conf"
SHAPES = [(480, 854), (853, 481), (100, 61), (33, 47), (225, 400), (224, 225), (224, 224), (387, 386)]
QWEN = {"shortest_edge": 128 * 28 * 28, "longest_edge": 768 * 28 * 28}


def noise(height, width, count=2):
    """The hardest case: every edge is sharp, and half of the values are black or white."""
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(-128, 384, (count, 3, height, width), generator=generator).clamp(0, 255).to(torch.uint8)


def images(frames):
    return [frame.permute(1, 2, 0).numpy() for frame in frames]


def levels(ours, theirs, std):
    """Largest difference in grey levels of normalised pixels."""
    scale = 255 * torch.tensor(std)[:, None, None]
    return ((ours - torch.as_tensor(np.stack(theirs))) * scale).abs().max().item()


def unpatched(processor, frame):
    """A frame (C, h, w) out of Qwen's patches: rows and columns of merged pairs, each patch repeated in time."""
    out = processor(frame, return_tensors="np")
    (_, rows, columns), merge, patch = out["image_grid_thw"][0], processor.merge_size, processor.patch_size
    grid = out["pixel_values"].reshape(rows // merge, columns // merge, merge, merge, 3, 2, patch, patch)
    return grid[:, :, :, :, :, 0].transpose(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * patch, columns * patch)


PUBLISHED = {
    "video_llava_7b": TensorCrop(),
    "video_llava_7b_hf": Preprocess(resize="bicubic"),
    "llava_next_video_7b": Preprocess(size=336, resize="bicubic"),
    "llava_onevision_7b": Square(),
    "qwen2_5_vl_7b": Smart(),
    "qwen3_vl_8b": SmartVolume(),
}
JUDGES = {
    "video_llava_7b_hf": VideoLlavaImageProcessor(),
    "llava_next_video_7b": CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}),
    "llava_onevision_7b": SiglipImageProcessorPil(size={"height": 384, "width": 384}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_models_config_states_it(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert instantiate(compose("config", [f"model={name}"]).model.preprocess) == PUBLISHED[name]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", JUDGES)
def test_pixels_are_those_of_the_image_processor(name, shape):
    ours, processor = PUBLISHED[name], JUDGES[name]
    frames = noise(*shape)
    out = processor(images(frames), return_tensors="np")
    (theirs,) = (value for name, value in out.items() if name.startswith("pixel_values"))
    assert ours(frames).shape == theirs.shape
    assert levels(ours(frames), theirs, ours.std) <= 1.001


def test_onevision_squeezes_a_frame_as_siglip_does():
    processor = LlavaOnevisionImageProcessorPil()
    assert (processor.size.height, processor.size.width) == (Square().size, Square().size)
    assert processor.resample == Image.Resampling.BICUBIC


@pytest.mark.parametrize("shape", SHAPES)
def test_qwen2_5_vl(shape):
    ours, frames = Smart(), noise(*shape)
    theirs = [unpatched(Qwen2VLImageProcessorPil(size=QWEN), image) for image in images(frames)]
    assert levels(ours(frames), theirs, ours.std) <= 1.001


@pytest.mark.parametrize("num_frames", [2, 8, 9, 64, 300])
@pytest.mark.parametrize("shape", [*SHAPES, (1080, 1920), (20, 500), (2160, 3840)])
def test_the_size_that_qwen3_vl_takes(shape, num_frames):
    place = SmartVolume().place(num_frames, *shape)
    assert (place.height, place.width) == qwen3_size(num_frames, *shape, 2, 32, 4096, 25_165_824)
    budget = SmartVolume(min_pixels=131_072, max_pixels=786_432).place(num_frames, *shape)
    assert (budget.height, budget.width) == qwen3_size(num_frames, *shape, 2, 32, 131_072, 786_432)


@pytest.mark.parametrize("shape", [(480, 854), (61, 100)])
def test_qwen3_vl(shape):
    ours, frames = SmartVolume(), noise(*shape)
    height, width = qwen3_size(2, *shape, 2, 32, 4096, 25_165_824)
    resized = [Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC) for image in images(frames)]
    theirs = [(np.array(image).transpose(2, 0, 1) / 255 - 0.5) / 0.5 for image in resized]
    assert levels(ours(frames), theirs, ours.std) <= 1.001


def test_long_videos_of_qwen2_5_vl_share_a_budget():
    few, many = (Smart().place(frames, 720, 1280) for frames in (300, 600))
    assert few.height * few.width > many.height * many.width
    # the figure of qwen-vl-utils: 90 % of 128,000 tokens of 28 x 28 pixels, two frames a token
    assert 300 * many.height * many.width <= 0.9 * 128_000 * 28 * 28
    assert few == Smart(total_pixels=None).place(600, 720, 1280)


def original(frames, size=224):
    """Video-LLaVA's pipeline as its source has it, without the flip: normalise, resize, cut, all in float."""
    mean, std = (torch.tensor(value)[:, None, None] for value in (CLIP_MEAN, CLIP_STD))
    pixels = (frames / 255.0 - mean) / std
    height, width = frames.shape[-2:]
    if width < height:
        target = (floor((float(height) / width) * size), size)
    else:
        target = (size, floor((float(width) / height) * size))
    pixels = interpolate(pixels, size=target, mode="bilinear", align_corners=False)
    top, left = (round((side - size) / 2.0) for side in target)
    return pixels[..., top : top + size, left : left + size]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_original_video_llava(shape):
    ours, frames = TensorCrop(), noise(*shape)
    assert levels(ours(frames), original(frames), ours.std) <= 0.501


def test_its_sizes_are_those_of_floats():
    for long in range(100, 1000):
        for short in (99, 100, 343, 350, 480):
            place = TensorCrop().place(8, min(short, long), max(short, long))
            assert place.width == floor(float(max(short, long)) / min(short, long) * 224)


def test_a_frame_that_no_patch_fits_is_refused():
    for preprocess in (Smart(), SmartVolume()):
        with pytest.raises(BadInput, match=r"200 times as long as wide, got 2\d\d times"):
            preprocess.fit(torch.zeros(2, 3, 40, 9000, dtype=torch.uint8))
    with pytest.raises(BadInput, match=r"2 frames at once, got 1"):
        SmartVolume().fit(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))


def test_what_fit_depends_on_tells_all_of_them_apart():
    every = [
        Preprocess(),
        Preprocess(size=336),
        TensorCrop(),
        Square(),
        Smart(),
        Smart(total_pixels=None),
        SmartVolume(),
    ]
    assert len({str(one.fitting) for one in every}) == len(every)
    assert Preprocess(mean=(0, 0, 0)).fitting == Preprocess().fitting
