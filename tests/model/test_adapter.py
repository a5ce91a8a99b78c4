"""The protocol as its docstring has it: a newcomer's adapter of a dozen lines, judged by the model's own forward."""

import pytest
import torch
from tokenizers import pre_tokenizers
from torch import nn
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from intpv.model.adapter import Adapter
from intpv.model.llava_family import selected
from intpv.model.model import Model, Prompt
from intpv.preprocess.clip import Preprocess

from .families import QUESTIONS, clip, frozen, text, words
from .test_families import build


class Mine(Adapter):
    """LLaVA 1.5, shown a video as so many pictures."""

    architecture = "LlavaForConditionalGeneration"
    repository = "me/mine-7b"

    def __init__(self, checkpoint, group_length, trained_visual_length):
        tower = nn.ModuleDict({"vision": checkpoint.model.vision_tower})
        super().__init__(checkpoint, tower, group_length, trained_visual_length, grid=(16,))
        self.projector = checkpoint.model.multi_modal_projector

    def look(self, groups):
        states = [self.tower["vision"](group, output_hidden_states=True).hidden_states for group in groups]
        return torch.stack([selected(one, -2, "default") for one in states])

    def project(self, features):
        return self.projector(features)


@pytest.fixture(scope="module")
def mine():
    tokenizer = words(pre_tokenizers.ByteLevel(add_prefix_space=False), ["</s>", "<image>"])
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=16,
            patch_size=4,
            initializer_range=0.15,
        ),
        text_config=LlamaConfig(**text(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    checkpoint = frozen(LlavaForConditionalGeneration, config)
    prompt = Prompt("USER: ", "", "\n{question} ASSISTANT:")
    return Model("mine", checkpoint, Mine(checkpoint, 8, 128), tokenizer, prompt, Preprocess(size=16))


@pytest.mark.parametrize("frames", [8, 32])
@torch.inference_mode()
def test_watch_and_ask_are_the_models_own_forward(mine, frames):
    pixels, times = clip(frames, (16, 16))
    llm = build(mine)
    for question, answer in zip(QUESTIONS, llm.ask(llm.watch(pixels, times), QUESTIONS), strict=True):
        whole = "USER: " + "<image>" * (frames * 16) + f"\n{question} ASSISTANT:"
        ids = torch.tensor([mine.tokenizer(whole).input_ids])
        expected = mine.llm(input_ids=ids, pixel_values=mine.preprocess.normalise(pixels)).logits[0, -1]
        torch.testing.assert_close(answer.logits, expected, atol=1e-4, rtol=1e-4)


def test_n_and_the_trained_length_are_its_own(mine):
    llm = build(mine)
    assert llm.order(32).shape == (4, 8)
    assert (mine.trained_visual_length, mine.window_length) == (128, 512)
    assert mine.rotary is mine.llm.model.language_model.rotary_emb
