"""What generate may do with the cache of an extended model: go on, look ahead, do without; the rest is refused."""

import pytest
import torch

import intpv
from intpv.errors import BadInput

from ..model.families import clip, family
from .test_extend import AFTER, VIDEO, loaded, same  # noqa: F401 (a fixture)

MORE = [11, 12, 13]


def generated(model, inputs: dict, **options):
    """Four steps: every step's logits, the sequence, and the cache."""
    usual = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    mask = torch.ones_like(inputs["input_ids"])
    report = {"output_logits": True, "return_dict_in_generate": True}
    return model.generate(**{"attention_mask": mask, **inputs}, **{**usual, **report, **options})


def next_turn(model, before, extra=MORE, **more):
    ids = torch.cat([before.sequences, torch.tensor([extra])], 1)
    return generated(model, {"input_ids": ids, "past_key_values": before.past_key_values, **more})


def test_without_a_cache_every_step_watches_anew_and_answers_alike(loaded):  # noqa: F811
    model, inputs = loaded
    with intpv.extend(model, frames=16, rope="yarn", kv="int2"):
        kept, none = generated(model, inputs(16)), generated(model, inputs(16), use_cache=False)
        assert model(**inputs(16), use_cache=False).past_key_values is None
    assert same(none.logits, kept.logits)
    assert none.past_key_values is None


def test_tokens_guessed_ahead_and_taken_back_change_nothing(loaded):  # noqa: F811
    model, inputs = loaded
    given = inputs(8)
    given["input_ids"] = torch.cat([given["input_ids"], torch.tensor([[*AFTER, *AFTER[:2]]])], 1)  # what is repeated
    with intpv.extend(model, frames=8, kv="int2") as extended:
        kept = generated(model, given, max_new_tokens=8, min_new_tokens=8)
        ahead = generated(model, given, max_new_tokens=8, min_new_tokens=8, prompt_lookup_num_tokens=3)
        assert torch.equal(ahead.sequences, kept.sequences)
        assert same(ahead.logits, kept.logits)
        layer = kept.past_key_values.layers[0]
        own, keys = layer.own, layer.keys
        layer.crop(-2)
        assert (layer.own, layer.get_seq_length()) == (own - 2, extended.context.layout.length + own - 2)
        layer.crop(layer.get_seq_length() - 1)  # as transformers before 5.23 says it
        assert layer.own == own - 3
        assert torch.equal(layer.keys, keys[..., : own - 3, :])
        with pytest.raises(BadInput, match=rf"can give up its own {own - 3} tokens, got crop\(-99\)"):
            layer.crop(-99)


def test_a_conversation_goes_on_about_its_own_video(loaded):  # noqa: F811
    model, inputs = loaded
    expected = next_turn(model, generated(model, inputs(8)))
    other = {**inputs(8), "pixel_values_videos": -inputs(8)["pixel_values_videos"]}
    with intpv.extend(model, frames=8):
        first = generated(model, inputs(8))
        second = generated(model, other)
        ours, theirs = next_turn(model, first), next_turn(model, second)
    assert same(ours.logits, expected.logits)
    assert not same(theirs.logits, expected.logits)


def test_a_second_video_in_one_conversation_is_refused(loaded):  # noqa: F811
    model, inputs = loaded
    with intpv.extend(model, frames=8):
        first = generated(model, inputs(8))
        more = inputs(1)
        shown = int((more["input_ids"] == VIDEO).sum())
        with pytest.raises(BadInput, match=f"holds one video, got {shown} visual tokens more"):
            next_turn(model, first, [VIDEO] * shown + MORE, pixel_values_videos=more["pixel_values_videos"])


def test_a_cache_is_of_no_use_outside_its_with(loaded):  # noqa: F811
    model, inputs = loaded
    with intpv.extend(model, frames=8):
        first = generated(model, inputs(8))
    line = "knows its video only inside the `with`"
    with pytest.raises(BadInput, match=line):
        next_turn(model, first)
    with pytest.raises(BadInput, match=line):
        model(input_ids=torch.tensor([MORE]), past_key_values=first.past_key_values)
    with intpv.extend(model, frames=8, rope="yarn"), pytest.raises(BadInput, match=line):
        next_turn(model, first)
    plain = generated(model, inputs(8))
    with intpv.extend(model, frames=8), pytest.raises(BadInput, match=r"goes on with its own, got \d+ tokens"):
        next_turn(model, plain)


@pytest.mark.parametrize("options", [{"num_beams": 2}, {"num_return_sequences": 2, "do_sample": True}])
def test_several_answers_at_once_are_refused(loaded, options):  # noqa: F811
    model, inputs = loaded
    with intpv.extend(model, frames=8), pytest.raises(BadInput, match="one sequence at a time, got a batch of 2"):
        generated(model, inputs(8), **options)


@pytest.mark.parametrize("kv", ["paper_channel", "paper_tensor"])
def test_calibrated_ranges_are_refused_before_anything_runs(loaded, kv):  # noqa: F811
    with pytest.raises(BadInput, match=r"calibration=embedded, .*model=\.\.\."), intpv.extend(loaded[0], 8, kv=kv):
        pass


@torch.inference_mode()
def test_frames_that_share_a_slot_are_counted_as_frames():
    """Qwen3-VL: a time before every two frames, deepstack, three axes."""
    known = family("qwen3_vl")
    model, given = known.model.llm, clip(8, known.size)
    expected = known.one_shot(*given, "Did red flash?")
    with intpv.extend(model, frames=8, kv="int8") as extended:
        quantised = known.one_shot(*given, "Did red flash?")
    assert sum(span.is_frame for span in extended.context.layout.spans) == 4
    with intpv.extend(model, frames=8):
        torch.testing.assert_close(known.one_shot(*given, "Did red flash?"), expected, atol=1e-4, rtol=1e-4)
    assert 0 < (quantised[-1] - expected[-1]).abs().max() < 1
    with pytest.raises(BadInput, match="multiple of 2 for this model, got 7"), intpv.extend(model, frames=7):
        pass
