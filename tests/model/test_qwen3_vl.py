"""Qwen3-VL: times as text, axes that grow together, and deepstack that the answer hears."""

from dataclasses import replace

import torch

from intpv.layout import AXES
from intpv.rope_strategy.strategy import RopeStrategy, position_ids
from intpv.rope_strategy.visual_only import VisualOnlyScaling

from .families import QUESTIONS, clip, family
from .test_families import build

KNOWN, SIZE = "qwen3_vl", (16, 24)


def test_each_slot_is_behind_its_own_time():
    model = family(KNOWN).model
    pieces = model.encoder.pieces(model.tokenizer, "user\n", "", [0.0, 0.5, 1.0, 12.5], (2, 3))
    said = [model.tokenizer.decode(piece.ids) for piece in pieces if hasattr(piece, "ids")]
    assert [text.replace(" ", "") for text in said] == [
        "user\n<0.2seconds><|vision_start|>",
        "<|vision_end|><6.8seconds><|vision_start|>",
        "<|vision_end|>",
    ]


def test_positions_are_the_models_own_and_all_axes_grow():
    known, (pixels, times) = family(KNOWN), clip(16, SIZE)
    context = build(known.model).watch(pixels, times)
    kinds = torch.tensor([[2 * span.is_frame for span in context.layout.spans for _ in range(span.length)]])
    grids = torch.tensor([[8, 4, 6]])
    expected, _ = known.model.llm.model.get_rope_index(kinds, kinds, video_grid_thw=grids)
    assert torch.equal(position_ids(RopeStrategy().positions(context.layout, 1.0)), expected.float())
    assert context.geometry.growing == AXES
    assert context.geometry.axis_of == (0, 1, 2) * 5 + (0,)


@torch.inference_mode()
def test_deepstack_is_kept_in_what_a_cache_keeps():
    """Features are the embeddings and two deepstack features wide; each of the three changes the answer."""
    known, (pixels, times) = family(KNOWN), clip(8, SIZE)
    llm = build(known.model)
    features = llm.look(pixels)
    assert features.shape == (1, 4, 2, 3, 3 * 64)
    expected = llm.ask(llm.pack(llm.prefill(features, times)), QUESTIONS)[0].logits
    for part in range(3):
        without = features.clone()
        without[..., 64 * part : 64 * (part + 1)] = 0
        got = llm.ask(llm.pack(llm.prefill(without, times)), QUESTIONS)[0].logits
        assert (got - expected).abs().max() > 1e-2


def test_height_alone_can_be_scaled():
    known, (pixels, times) = family(KNOWN), clip(32, SIZE)
    plain = build(known.model)
    context = replace(plain, rope_strategy=VisualOnlyScaling(factor=4, axes="height")).watch(pixels, times)
    base = RopeStrategy().positions(context.layout, 1.0)
    scaled = VisualOnlyScaling(axes="height").positions(context.layout, 4.0)
    assert torch.equal(scaled[[0, 2]], base[[0, 2]])
    assert scaled[1, -1] < base[1, -1] / 1.2
