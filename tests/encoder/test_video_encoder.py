"""Laws of every encoder: shapes, the cached path, messages with both numbers, and that each YAML builds one."""

import pytest
import torch

from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.options import CONF, option

OPTIONS = sorted(path.stem for path in (CONF / "encoder").glob("*.yaml"))


@pytest.fixture(params=["languagebind", "per_frame"])
def encoder(request):
    return request.getfixturevalue(request.param)


def test_tokens_have_the_stated_shape(encoder, groups):
    assert encoder.group_length == 8
    assert encoder.image_size == 16
    assert encoder(groups).shape == (2, 8, encoder.tokens_per_frame, 32)


def test_cached_features_give_the_same_tokens(encoder, groups):
    with torch.inference_mode():
        assert torch.equal(encoder.project(encoder.features(groups)), encoder(groups))


def test_features_cached_in_half_precision_are_projected(encoder, groups):
    with torch.inference_mode():
        exact, features = encoder(groups), encoder.features(groups)
        assert (encoder.project(features.half()) - exact).abs().max() < 1e-2 * exact.abs().max()


def test_float32_pixels_enter_a_bfloat16_tower(encoder, groups):
    assert encoder.bfloat16()(groups).dtype == torch.bfloat16


def test_gradients_reach_every_block_and_the_projector(encoder, groups):
    encoder(groups).square().mean().backward()
    unused = {name for name, weight in encoder.named_parameters() if weight.grad is None}
    assert unused == {"tower.post_layernorm.weight", "tower.post_layernorm.bias"}


def test_projector_is_linear_gelu_linear(encoder):
    x = torch.randn(1, 1, 1, 24)
    weights = [encoder.projector.state_dict()[key] for key in ("0.weight", "0.bias", "2.weight", "2.bias")]
    hidden = x @ weights[0].T + weights[1]
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    torch.testing.assert_close(encoder.project(x), hidden @ weights[2].T + weights[3], atol=1e-6, rtol=0)


def test_wrong_frames_are_refused(encoder):
    with pytest.raises(BadInput, match="the tower takes 16x16 pixels, got 32x16"):
        encoder(torch.zeros(1, 8, 3, 32, 16))
    with pytest.raises(BadInput, match="the tower takes 3 channels, got 1"):
        encoder(torch.zeros(1, 8, 1, 16, 16))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_builds_an_encoder(name):
    encoder = option("encoder", name)
    assert isinstance(encoder, VideoEncoder)
    assert encoder.group_length == 8


@pytest.mark.parametrize("name", ["languagebind", "per_frame"])
def test_the_small_options_fit_the_mini_model(name):
    encoder = option("encoder", name)
    assert encoder(torch.zeros(1, 8, 3, 48, 48)).shape == (1, 8, 10, 128)


@pytest.mark.parametrize("name", ["video_llava", "video_llava_hf"])
def test_the_large_options_have_the_sizes_of_the_checkpoint_and_take_no_memory(name):
    """CLIP ViT-L/14 at 224 pixels: 257 tokens a frame; 303,179,776 values, 404,187,136 with temporal attention."""
    encoder = option("encoder", name)
    assert all(weight.is_meta for weight in encoder.parameters())
    values = sum(weight.numel() for weight in encoder.tower.parameters())
    assert values == (404_187_136 if encoder.mixes_time else 303_179_776)
    assert (encoder.tokens_per_frame, encoder.depth, encoder.projector[2].out_features) == (257, 23, 4096)
