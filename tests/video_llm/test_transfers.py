"""What a host and its GPU hand each other while questions are asked: few copies, few waits, whatever their number."""

import pytest
import torch
from torch import nn

import intpv
from intpv.model.loading.hub import spread
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.video_llm.video_llm import VideoLLM

from ..pretended import pretended, transfers
from ..tiny import clip, tiny_model
from .test_extend import VIDEO, llava_next_video

STEPS = 8
CHOICES = ["red", "blue flashed", "no"]


def _asked(kv: str, questions: int, choices: list[str], steps: int = STEPS) -> dict[str, int]:
    """Copies to the device and waits for it of one ask, on a pretended GPU."""
    with pretended():
        model = tiny_model()
        spread(nn.ModuleDict({"llm": model.llm, "encoder": model.encoder}), model.decoder, [torch.device("meta:0")])
        llm = VideoLLM(model, Strided(), VisualOnlyScaling(), option("kv_quant", kv), max_new_tokens=steps)
        model.tokenizer.eos_token = None  # every answer takes all steps
        context = llm.watch(*clip(16))
        with transfers() as found:
            answers = llm.ask(context, ["did red flash ?"] * questions, [choices] * questions)
    assert {len(answer.tokens) for answer in answers} == {steps}
    return {kind: found[kind] for kind in ("to", "wait")}


@pytest.mark.slow
@pytest.mark.parametrize("kv", ["none", "int2"])
def test_a_step_is_two_copies_and_one_wait(kv):
    """A ratchet: ids with positions, and the mask; then the tokens. Beside the steps there are the angles, once."""
    assert _asked(kv, 24, []) == {"to": 2 * STEPS + 1, "wait": STEPS}


def test_options_are_one_step_more():
    assert _asked("int2", 24, CHOICES) == {"to": 2 * STEPS + 1 + 4, "wait": STEPS + 2}


@pytest.mark.slow
def test_more_questions_are_no_more_transfers():
    assert _asked("int2", 3, CHOICES) == _asked("int2", 24, CHOICES)


def _token(frames: int, kv: str, rope: str) -> dict[str, int]:
    """Of one generated token of an extended model."""
    torch.manual_seed(0)
    model, _, _ = llava_next_video()
    ids = torch.tensor([[1, *[VIDEO] * (frames * 4), 7, 8, 9]])
    pixels = torch.randn(1, frames, 3, 32, 32)
    with pretended():
        spread(model, model.get_decoder(), [torch.device("meta:0")])
        ids, pixels, mask = (x.to("meta:0") for x in (ids, pixels, torch.ones_like(ids)))
        with intpv.extend(model, frames=frames, trained_frames=8, rope=rope, kv=kv):
            out = model(input_ids=ids, pixel_values_videos=pixels, attention_mask=mask, use_cache=True)
            step = {"input_ids": ids[:, -1:], "past_key_values": out.past_key_values}
            mask = torch.ones((1, ids.shape[1] + 1), device="meta:0")
            with transfers() as found:
                model(**step, attention_mask=mask)
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("rope", ["none", "yarn"])
@pytest.mark.parametrize("kv", ["none", "int2"])
def test_a_generated_token_costs_the_host_nothing_of_the_prefix(kv, rope):
    """Nor is the device waited for, which `generate` itself does once a token."""
    short, long = _token(8, kv, rope), _token(32, kv, rope)
    assert short == long
    assert long.get("wait", 0) == 0
    assert long["to"] <= 2
    assert long["host"] < 32 * 4 * 16  # a table of the prefix' angles
