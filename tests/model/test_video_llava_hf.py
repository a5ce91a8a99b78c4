"""The transformers port: its own one-shot forward is the judge, on a small checkpoint that it wrote itself."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoTokenizer,
    CLIPVisionConfig,
    LlamaConfig,
    VideoLlavaConfig,
    VideoLlavaForConditionalGeneration,
)

from intpv.encoder.video_llava_hf import unloaded
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import NoQuant
from intpv.model.model import Prompt
from intpv.model.video_llava_hf import load
from intpv.preprocess.clip import Preprocess
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.random import Random
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from .llama_words import llama_tokenizer
from .original import write_weights

PROMPT = Prompt("USER: ", "", "\n{question} ASSISTANT:")
VISION = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": 16,
    "patch_size": 8,
}
TEXT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES = {**VISION, "hidden_act": "quick_gelu", "select_layer": -2, "llm_width": TEXT["hidden_size"]}


@pytest.fixture(scope="module", params=[False, True], ids=["", "legacy"])
def port(request, tmp_path_factory):
    """The port's model, its tokenizer, and the folder they wrote. A legacy tokenizer puts a space after the video."""
    folder = tmp_path_factory.mktemp("port")
    llama_tokenizer("<image>", "<video>").save_pretrained(folder)
    stated = json.loads((folder / "tokenizer_config.json").read_text()) | {"legacy": request.param}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    words = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert (
        "▁" in words.convert_ids_to_tokens(words("<video>\nWhat", add_special_tokens=False).input_ids)
    ) == request.param
    config = VideoLlavaConfig(
        vision_config=CLIPVisionConfig(**VISION),
        text_config=LlamaConfig(**TEXT, vocab_size=len(words) + 3, initializer_range=0.15),
        image_token_index=len(words) - 2,
        video_token_index=len(words) - 1,
    )
    torch.manual_seed(0)
    model = VideoLlavaForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    return model, words, folder


def read(folder, **options):
    chosen = {"dtype": "float32", "device": "cpu", "llm": {}, **options}
    return load(unloaded(**SIZES), PROMPT, Preprocess(size=16, resize="bicubic"), path=str(folder), **chosen)


def one_shot(model, words, pixels, question: str) -> torch.Tensor:
    """Logits of the answer's first token from the port's own forward, prompt and placeholders cut as its processor."""
    text = f"USER: {'<video>' * (len(pixels) * 5)}\n{question} ASSISTANT:"
    ids = words(text, return_tensors="pt", add_special_tokens=False).input_ids
    ids = torch.cat([torch.tensor([[1]]), ids], dim=1)
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values_videos=pixels[None]).logits[0, -1]


@pytest.mark.parametrize("frames", [8, 32])
def test_logits_are_those_of_the_port_s_own_forward(port, frames):
    model, words, folder = port
    loaded = read(folder)
    llm = VideoLLM(loaded, Strided(), NoScaling(), NoQuant(), 1)
    video = torch.randint(0, 256, (frames, 3, 20, 24), dtype=torch.uint8)
    context = llm.watch(video, torch.arange(float(frames)))
    pixels = loaded.preprocess(video)
    questions = ["Which color flashed first?", "What is on the table?"]
    for question, answer in zip(questions, llm.ask(context, questions), strict=True):
        torch.testing.assert_close(answer.logits, one_shot(model, words, pixels, question), atol=1e-4, rtol=0)


def test_rearranging_does_nothing_and_it_says_so(port):
    loaded = read(port[2])
    assert not loaded.encoder.mixes_time
    video = torch.randint(0, 256, (16, 3, 16, 16), dtype=torch.uint8)
    answers = []
    for rearranger in (Contiguous(), Strided(), Random()):
        llm = VideoLLM(loaded, rearranger, NoScaling(), NoQuant(), 1)
        answers.append(llm.ask(llm.watch(video, torch.arange(16.0)), ["What?"])[0].logits)
    assert all(torch.allclose(other, answers[0], atol=1e-5) for other in answers[1:])


RELEASED = (("video_tower.", "video_tower.vision_model."), ("image_tower.", "image_tower.vision_model."))
NATIVE = (
    ("language_model.lm_head.", "lm_head."),
    ("language_model.model.", "model.language_model."),
    *((f"{part}.", f"model.{part}.") for part in ("video_tower", "image_tower", "multi_modal_projector")),
)


@pytest.mark.parametrize(("spelling", "kind", "shards"), [(RELEASED, "safetensors", 3), (NATIVE, "bin", 3)])
def test_both_spellings_of_the_keys_are_read(port, tmp_path, spelling, kind, shards):
    model, _, folder = port
    renamed = {}
    for key, value in load_file(folder / "model.safetensors").items():
        old, new = next(((o, n) for o, n in spelling if key.startswith(o)), ("", ""))
        renamed[new + key.removeprefix(old)] = value
    write_weights(tmp_path, renamed, kind, shards)
    for file in folder.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    there, here = read(folder), read(tmp_path)
    for one, other in ((there.llm, here.llm), (there.encoder, here.encoder)):
        weights = other.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
    assert torch.equal(here.llm.lm_head.weight, model.lm_head.weight)


def test_what_the_config_leaves_open_is_what_the_port_computes_with(port, tmp_path):
    """The released config does not state hidden_act: transformers' CLIP then takes quick_gelu."""
    folder = port[2]
    config = json.loads((folder / "config.json").read_text())
    del config["vision_config"]["hidden_act"]
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config))
    read(tmp_path)
    config["vision_config"]["hidden_act"] = "gelu"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=r"config.json: the tower has hidden_act=gelu, the encoder has quick_gelu"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"model_type": "llava"},
            r"config\.json: model_type must be video_llava for model=video_llava_7b_hf, got llava",
        ),
        ({"video_token_index": 5}, r"tokenizer\.json: <video> has id \d+, config\.json states 5"),
        (
            {"vision_feature_layer": -1},
            r"vision_feature_layer=-1 is what block 3 gives, the encoder's is that of block 2",
        ),
        ({"vision_feature_layer": [-2, -1]}, r"vision_feature_layer must be one layer, got \[-2, -1\]"),
        ({"projector_hidden_act": "relu"}, "projector_hidden_act must be gelu, got relu"),
        ({"multimodal_projector_bias": "yes"}, r"config\.json: .*multimodal_projector_bias"),
    ],
)
def test_another_checkpoint_is_refused(port, tmp_path, change, line):
    folder = port[2]
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=line) as refused:
        read(tmp_path)
    assert "\n" not in str(refused.value)
