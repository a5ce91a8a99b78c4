"""Rearranger and encoder together: no order matters to a tower without time, every order does to one with it."""

import pytest
import torch

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.per_frame import PerFrame
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.random import Random
from intpv.rearranger.stretch import Stretch
from intpv.rearranger.strided import Strided

SIZES = dict(
    hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, image_size=16, patch_size=8
)


def build(encoder):
    torch.manual_seed(0)
    return encoder(**SIZES, hidden_act="gelu", select_layer=-1, llm_width=32).eval()


def watch(encoder, rearranger, frames):
    order = rearranger.order(len(frames), encoder.group_length, "video")
    with torch.inference_mode():
        return rearranger.merge(encoder(rearranger.split(frames, order)), order)


@pytest.fixture(scope="module")
def frames():
    return torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("rearranger", [Strided(), Stretch(), Random()])
def test_order_is_nothing_to_a_tower_without_time(rearranger, frames):
    encoder = build(PerFrame)
    expected = watch(encoder, Contiguous(), frames)
    torch.testing.assert_close(watch(encoder, rearranger, frames), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rearranger", [Strided(), Stretch(), Random()])
def test_order_is_something_to_a_tower_with_time(rearranger, frames):
    encoder = build(LanguageBind)
    assert (watch(encoder, rearranger, frames) - watch(encoder, Contiguous(), frames)).abs().max() > 1e-3


@pytest.mark.parametrize("rearranger", [Strided(), Stretch()])
@pytest.mark.parametrize("encoder", [PerFrame, LanguageBind])
def test_at_the_trained_length_every_order_is_the_baseline_bit_for_bit(rearranger, encoder, frames):
    encoder = build(encoder)
    assert torch.equal(watch(encoder, rearranger, frames[:8]), watch(encoder, Contiguous(), frames[:8]))
