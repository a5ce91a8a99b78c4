"""Any LLaVA in transformers' format: sizes and pixels are the folder's own, and what does not fit is one line."""

import json

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PixtralVisionConfig,
    SiglipVisionConfig,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from intpv.encoder.own import Own
from intpv.errors import BadInput
from intpv.model.hf_llava import HFLlava
from intpv.model.model import Prompt
from intpv.preprocess.clip import Preprocess
from intpv.preprocess.siglip import Square

from .families import frozen, text
from .llama_words import llama_tokenizer
from .test_families import build

PROMPT = Prompt("USER: ", "", "\n{question} ASSISTANT:")
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}
CLIP = CLIPVisionConfig(**SIZES, image_size=16, patch_size=4, initializer_range=0.15)
SIGLIP = SiglipVisionConfig(**SIZES, image_size=16, patch_size=4, vision_use_head=False)
PROCESSORS = {
    "clip": CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
    "siglip": SiglipImageProcessorPil(size={"height": 16, "width": 16}, resample=3),
}


def write(folder, vision=CLIP, processor="clip", **config) -> LlavaForConditionalGeneration:
    """A folder as transformers writes it."""
    tokenizer = llama_tokenizer("<image>", add_bos_token=True)
    image = tokenizer.convert_tokens_to_ids("<image>")
    sizes = LlavaConfig(
        vision_config=vision, text_config=LlamaConfig(**text(tokenizer)), image_token_index=image, **config
    )
    checkpoint = frozen(LlavaForConditionalGeneration, sizes)
    for part in (checkpoint, tokenizer, PROCESSORS[processor]):
        part.save_pretrained(folder)
    return checkpoint


def read(folder, **settings):
    settings = {"dtype": "float32", "device": "cpu", **settings}
    return HFLlava.load(Own(num_frames=8), str(folder), PROMPT, **settings)


@pytest.mark.parametrize(
    ("vision", "processor", "strategy", "layer", "tokens"),
    [
        (CLIP, "clip", "default", -2, 16),
        (CLIP, "clip", "full", [-2, -1], 17),
        (SIGLIP, "siglip", "full", -1, 16),
        (SIGLIP, "siglip", "default", -2, 15),
    ],
)
@torch.inference_mode()
def test_every_choice_of_the_config_gives_the_logits_of_the_model_s_own_forward(
    tmp_path, vision, processor, strategy, layer, tokens
):
    checkpoint = write(tmp_path, vision, processor, vision_feature_select_strategy=strategy, vision_feature_layer=layer)
    model = read(tmp_path)
    encoder, llm = model.encoder, build(model)
    assert (encoder.tokens_per_frame, model.trained_visual_length) == (tokens, 8 * tokens)
    frames, question = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8), "Did red flash?"
    row = model.tokenizer("USER: " + "<image>" * (8 * tokens) + f"\n{question} ASSISTANT:").input_ids
    expected = checkpoint(input_ids=torch.tensor([row]), pixel_values=model.preprocess.normalise(frames)).logits[0, -1]
    assert row[0] == model.tokenizer.bos_token_id
    got = llm.ask(llm.watch(frames, torch.arange(8.0)), [question])[0].logits
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("vision", "processor", "kind"), [(CLIP, "clip", Preprocess), (SIGLIP, "siglip", Square)])
def test_pixels_are_those_of_the_folder_s_own_image_processor(tmp_path, vision, processor, kind):
    write(tmp_path, vision, processor)
    model, frame = read(tmp_path), torch.randint(0, 256, (3, 20, 36), dtype=torch.uint8)
    expected = PROCESSORS[processor](frame.permute(1, 2, 0).numpy(), return_tensors="pt").pixel_values[0]
    assert isinstance(model.preprocess, kind)
    grey = 1 / 255 / min(model.preprocess.std)
    torch.testing.assert_close(model.preprocess(frame[None])[0], expected, atol=grey + 1e-5, rtol=0)
    assert read(tmp_path, preprocess=Square(size=16)).preprocess == Square(size=16)  # what is given goes first


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"do_pad": True}, "do_pad must be False, got True: choose model.preprocess yourself"),
        ({"resample": 1}, r"resample must be 2 \(bilinear\) or 3 \(bicubic\), got 1"),
        ({"rescale_factor": 1.0}, "rescale_factor must be 1/255, got 1.0"),
        ({"crop_size": {"height": 16, "width": 12}}, "crop_size must be the shortest_edge 16 twice, got .*12"),
        ({"size": {"height": 16, "width": 12}}, "size must be a shortest_edge with a crop or a square without one"),
    ],
)
def test_pixels_that_we_do_not_make_are_refused(tmp_path, change, line):
    write(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BadInput, match=rf"preprocessor_config\.json: {line}"):
        read(tmp_path)


def test_a_folder_without_an_image_processor_asks_for_one(tmp_path):
    write(tmp_path)
    stated = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(BadInput, match=r"no preprocessor_config\.json that states a size: choose model\.preprocess"):
        read(tmp_path)
    assert read(tmp_path, preprocess=Preprocess(size=16)).preprocess == Preprocess(size=16)
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": stated}))  # as transformers 5 does
    assert read(tmp_path).preprocess == Preprocess(size=16, resize="bicubic")


def test_other_towers_and_tokenizers_are_refused(tmp_path):
    checkpoint = write(tmp_path)
    checkpoint.config.vision_config = PixtralVisionConfig()
    with pytest.raises(BadInput, match=r"model_type must be clip_vision_model or siglip_vision_model, got pixtral"):
        HFLlava(checkpoint, 8, None)
    config = json.loads((tmp_path / "config.json").read_text())
    key = next(key for key in ("image_token_index", "image_token_id") if key in config)
    (tmp_path / "config.json").write_text(json.dumps(config | {key: 9999}))
    with pytest.raises(BadInput, match=r"the tokenizer has no token 9999, which config\.json says is an image's"):
        read(tmp_path)


def test_a_path_must_be_given():
    with pytest.raises(
        BadInput, match=r"^model=hf_llava reads a checkpoint of yours: model\.path=FOLDER, .*hf download"
    ):
        HFLlava.load(Own(num_frames=8), None, PROMPT)
