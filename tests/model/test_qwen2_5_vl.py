"""Qwen2.5-VL: where a slot stands in time, where text goes on, and that height and width stay as trained."""

import pytest
import torch
from transformers.video_utils import VideoMetadata

from intpv.errors import BadInput
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.strategy import RopeStrategy, position_ids
from intpv.video.sampling import Sampler

from .families import QUESTIONS, clip, family, qwen2_5_vl
from .test_families import build


def layout(known, seconds: list[float], grid=(2, 3)):
    pieces = known.model.encoder.pieces(known.model.tokenizer, "user", "after", seconds, grid)
    return [piece for piece in pieces if hasattr(piece, "late")]


@pytest.mark.parametrize(
    ("spacing", "late"), [(0.5, [0, 2, 4, 6]), (0.75, [0, 3, 6, 9]), (0.2, [0, 0, 1, 2]), (0.0, [0] * 4)]
)
def test_a_slot_stands_tokens_per_second_times_its_seconds_behind_the_first(spacing, late):
    """2 tokens a second, 2 frames a slot, rounded down."""
    slots = layout(family("qwen2_5_vl"), [index * spacing for index in range(8)])
    assert [slot.late for slot in slots] == late


@pytest.mark.parametrize("repeat", [1, 2, 4, 8])
def test_pictures_that_are_repeated_are_as_far_apart_as_the_processor_has_them(repeat):
    """Sampled from 640 frames of 8 a second, each picture shown `repeat` times."""
    indices = Sampler(repeat=repeat).indices(640, 64)
    video = VideoMetadata(total_num_frames=640, fps=8, frames_indices=list(indices))
    slots = layout(family("qwen2_5_vl"), video.timestamps)
    per_slot = 2 * 2 / video.sampled_fps  # 2 frames a slot, 2 tokens a second
    assert [slot.late for slot in slots] == [int(per_slot * place) for place in range(32)]


def test_a_last_picture_that_is_repeated_to_fill_the_frames_does_not_slow_the_others_down():
    known = family("qwen2_5_vl")
    full, filled = layout(known, [0.5 * i for i in range(16)]), layout(known, [0.5 * min(i, 9) for i in range(16)])
    assert [slot.late for slot in filled] == [slot.late for slot in full]


@pytest.mark.parametrize("spacing", [0.5, 1.0])
def test_positions_are_the_models_own(spacing):
    known, (pixels, _) = family("qwen2_5_vl"), clip(16, (16, 24))
    llm, checkpoint = build(known.model), known.model.llm
    found = llm.watch(pixels, torch.arange(16) * spacing).layout
    kinds = torch.tensor([[2 * span.is_frame for span in found.spans for _ in range(span.length)]])
    expected, _ = checkpoint.model.get_rope_index(
        kinds, kinds, video_grid_thw=torch.tensor([[8, 4, 6]]), second_per_grid_ts=torch.tensor([2 * spacing])
    )
    assert torch.equal(position_ids(RopeStrategy().positions(found, 1.0)), expected.float())


@torch.inference_mode()
def test_text_behind_the_video_is_the_models_own_forward_at_those_positions():
    known, (pixels, times) = qwen2_5_vl(text_after="video"), clip(32, (16, 24))
    llm = build(known.model)
    context = llm.watch(pixels, times)
    answer = llm.ask(context, QUESTIONS[:1])[0]
    question = known.model.tokenizer(known.model.prompt.question(QUESTIONS[0])).input_ids
    positions = RopeStrategy().positions(context.layout.ask(len(question)), 1.0)
    before, *slots, _ = context.layout.spans
    behind = before.length + sum(slot.length for slot in slots)
    assert (positions[:, behind] == positions[:, before.length : behind].max() + 1).all()
    assert positions[0, behind - 1] > positions[1:, behind - 1].max()  # so it is not the grid that ends last
    expected = known.one_shot(pixels, times, QUESTIONS[0], position_ids=position_ids(positions).long())[-1]
    torch.testing.assert_close(answer.logits, expected, atol=1e-4, rtol=1e-4)
    grid = build(family("qwen2_5_vl").model)
    assert (grid.ask(grid.watch(pixels, times), QUESTIONS[:1])[0].logits - answer.logits).abs().max() > 1e-2


def test_only_time_is_scaled_unless_said():
    known, (pixels, times) = family("qwen2_5_vl"), clip(32, (16, 24))
    context = build(known.model).watch(pixels, times)
    assert context.geometry.growing == ("temporal",)
    assert context.geometry.axis_of == (0,) * 4 + (1,) * 6 + (2,) * 6
    stretch = LinearScaling().table(context.geometry, 1.0) / LinearScaling().table(context.geometry, 4.0)
    assert stretch.tolist() == [4.0] * 4 + [1.0] * 12
    named = LinearScaling(axes=["height"])
    stretch = named.table(context.geometry, 1.0) / named.table(context.geometry, 4.0)
    assert stretch.tolist() == [1.0] * 4 + [4.0] * 6 + [1.0] * 6


def test_times_that_run_backwards_are_refused():
    with pytest.raises(BadInput, match="times of frames must not run backwards"):
        layout(family("qwen2_5_vl"), [3.0, 2.0, 1.0, 0.0])


def test_an_unknown_rule_is_refused():
    with pytest.raises(BadInput, match="text_after must be one of grid, video, got end"):
        qwen2_5_vl(text_after="end")
