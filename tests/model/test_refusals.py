"""What is wrong with a checkpoint is one line that names file and key, and nothing of it is used."""

import json
from unittest.mock import patch

import pytest
import torch
from huggingface_hub import constants

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.per_frame import PerFrame
from intpv.encoder.video_llava import unloaded
from intpv.errors import BadInput
from intpv.model.loading import config_json
from intpv.model.random import load as load_random

from .llama_words import write_words
from .original import SIZES, TOWER, Original, read

FILES = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}
SECOND = {"safetensors": "model-00002-of-00003.safetensors", "bin": "pytorch_model-00002-of-00003.bin"}


def refused(folder, line: str, encoder=None, **options) -> str:
    """The message, one line that matches; the encoder is still without weights."""
    encoder = encoder if encoder is not None else unloaded(**SIZES)
    empty = {name for name, weight in encoder.named_parameters() if weight.is_meta}
    with pytest.raises(BadInput, match=line) as error:
        read(folder, encoder, **options)
    assert "\n" not in str(error.value)
    assert {name for name, weight in encoder.named_parameters() if weight.is_meta} == empty
    return str(error.value)


@pytest.fixture
def original():
    return Original()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"model_type": "qwen2_5_vl"}, r"config\.json: model_type must be llava or llava_llama .*, got qwen2_5_vl"),
        ({"mm_video_tower": None}, "states no mm_video_tower"),
        ({"mm_projector_type": "linear"}, "mm_projector_type must be mlp2x_gelu, got linear"),
        ({"mm_use_im_start_end": True}, "mm_use_im_start_end must be False, got True"),
        ({"mm_hidden_size": 64}, "the tower has hidden_size=64, the encoder has 32: encoder.hidden_size=64"),
        ({"mm_vision_select_layer": -1}, "select_layer=-1 is what block 3 gives, the encoder's is that of block 2"),
        ({"vision_config": {"hidden_act": "quick_gelu"}}, "the tower has hidden_act=quick_gelu, the encoder has gelu"),
        ({"vision_config": {"add_time_attn": False}}, "add_time_attn must be true, got false"),
        ({"rms_norm_eps": None}, "must state rms_norm_eps"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings must be false, got true"),
        ({"hidden_size": 64}, "encoder.llm_width is 48, the language model's hidden_size is 64"),
        ({"num_attention_heads": "four"}, r"config\.json: .*num_attention_heads"),
        ({"bos_token_id": 7}, r"tokenizer\.json: bos_token_id is 1, config\.json states 7"),
        ({"vocab_size": 200}, r"tokenizer\.json has token ids up to \d+, the model's vocab_size is 200"),
    ],
)
def test_config(original, tmp_path, change, line):
    original.config |= change
    original.config = {key: value for key, value in original.config.items() if value is not None}
    refused(original.write(tmp_path), line)


def test_config_that_is_missing_or_damaged(original, tmp_path):
    folder = original.write(tmp_path)
    (folder / "config.json").write_text("{")
    refused(folder, r"config\.json is no JSON")
    (folder / "config.json").unlink()
    refused(folder, r"config\.json is missing")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("index", [True, False])
def test_a_missing_shard(original, tmp_path, kind, index):
    folder = original.write(tmp_path, kind, 3, index)
    (folder / SECOND[kind]).unlink()
    refused(folder, rf"{SECOND[kind]} is missing: the checkpoint has 3 shards")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_shard_that_was_cut_short(original, tmp_path, kind, share):
    file = original.write(tmp_path, kind, 3) / SECOND[kind]
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    refused(tmp_path, rf"{SECOND[kind]} cannot be read; is it whole\?")


@pytest.mark.parametrize("kind", FILES)
def test_an_index_that_names_absent_keys(original, tmp_path, kind):
    index = original.write(tmp_path, kind, 3) / f"{FILES[kind]}.index.json"
    stated = json.loads(index.read_text())
    stated["weight_map"]["model.extra.weight"] = SECOND[kind]
    index.write_text(json.dumps(stated))
    refused(tmp_path, rf"{SECOND[kind]} does not hold model\.extra\.weight, which the index")


def test_an_index_that_points_elsewhere_or_is_none(original, tmp_path):
    index = original.write(tmp_path, "bin", 3) / "pytorch_model.bin.index.json"
    stated = json.loads(index.read_text())
    stated["weight_map"]["lm_head.weight"] = "../other.bin"
    index.write_text(json.dumps(stated))
    refused(tmp_path, r"must name files beside it, got \.\./other\.bin")
    index.write_text("[]")
    refused(tmp_path, r"index\.json must hold an object, got a list")
    for content in ("{}", '{"weight_map": {}}', '{"weight_map": {"lm_head.weight": 3}}'):
        index.write_text(content)
        refused(tmp_path, r"index\.json is no index of weights: its weight_map must name a file for every key")


def test_a_key_in_two_shards(original, tmp_path):
    original.write(tmp_path, "bin", 3)
    part = torch.load(tmp_path / SECOND["bin"], weights_only=True)
    torch.save(part | {"lm_head.weight": original.weights["lm_head.weight"]}, tmp_path / SECOND["bin"])
    refused(tmp_path, r"lm_head\.weight is in two files")


def test_no_weights_at_all(original, tmp_path):
    (original.write(tmp_path) / "model.safetensors").unlink()
    refused(tmp_path, r"holds no weights: neither model\.safetensors")


class Harm:
    """Code in a pickle: it would create a file when loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_a_bin_is_not_run(original, tmp_path):
    folder, mark = original.write(tmp_path / "model", "bin"), tmp_path / "mark"
    torch.save({**original.weights, "harm": Harm(mark)}, folder / "pytorch_model.bin")
    refused(folder, r"pytorch_model\.bin holds more than tensors: only weights are read, never code")
    assert not mark.exists()
    torch.save({"weights": original.weights}, folder / "pytorch_model.bin")
    refused(folder, "must hold tensors by name")


LAYER = f"{TOWER}encoder.layers.1."


@pytest.mark.parametrize("part", ["temporal_embedding", "temporal_attn.q_proj.weight", "temporal_layer_norm1.bias"])
def test_a_temporal_tensor_that_is_missing(original, tmp_path, part):
    del original.weights[LAYER + part]
    refused(original.write(tmp_path), rf"1 tensors missing: {LAYER}{part}$".replace(".", r"\."))


def test_a_tower_without_temporal_attention(original, tmp_path):
    """What loading with strict=False would have made of it is how the port lost its temporal attention."""
    original.weights = {key: value for key, value in original.weights.items() if "temporal" not in key}
    message = refused(
        original.write(tmp_path), "33 tensors missing: .*layers.0.temporal_attn.k_proj.bias.* and 29 more"
    )
    assert "left over" not in message


@pytest.mark.parametrize("key", [f"{LAYER}temporal_mlp.fc1.weight", "model.layers.2.mlp.up_proj.weight", "other"])
def test_a_tensor_that_is_left_over(original, tmp_path, key):
    original.weights[key] = torch.zeros(1)
    refused(original.write(tmp_path), rf"1 tensors left over: {key}$".replace(".", r"\."))


@pytest.mark.parametrize(
    ("sizes", "line"),
    [
        (
            {"patch_size": 16},
            r"patch_embedding\.weight has shape \(32, 3, 8, 8\), the model's sizes need \(32, 3, 16, 16",
        ),
        ({"num_frames": 4}, r"temporal_embedding has shape \(1, 8, 32\), the model's sizes need \(1, 4, 32\)"),
        ({"num_hidden_layers": 4, "select_layer": -2}, "tensors missing: .*layers.3.temporal_attn"),
        ({"num_hidden_layers": 2, "select_layer": -2}, "tensors left over: .*layers.2.temporal_attn"),
    ],
)
def test_an_encoder_of_other_sizes(original, tmp_path, sizes, line):
    message = refused(original.write(tmp_path), line, unloaded(**{**SIZES, **sizes}))
    assert str(tmp_path) in message


def test_an_encoder_of_another_kind(original, tmp_path):
    line = "was trained with encoder=LanguageBind, got encoder=PerFrame"
    refused(original.write(tmp_path), line, PerFrame(**SIZES))


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite(original, tmp_path, kind, value):
    key = f"{LAYER}mlp.fc1.weight"
    original.weights[key] = original.weights[key].index_fill(0, torch.tensor([2]), value)
    refused(original.write(tmp_path, kind), rf"{FILES[kind]}: {key} holds nan or inf")


def test_numbers_that_the_type_asked_for_cannot_hold(original, tmp_path):
    original.weights["lm_head.weight"] = original.weights["lm_head.weight"] + 1e5
    line = r"lm_head\.weight holds values beyond torch\.float16, which it was asked to become"
    refused(original.write(tmp_path), line, dtype="float16")
    read(tmp_path, dtype="bfloat16")


def test_quantised_weights(original, tmp_path):
    original.weights["lm_head.weight"] = original.weights["lm_head.weight"].to(torch.int8)
    refused(original.write(tmp_path), r"lm_head\.weight must be float, got torch\.int8")


def test_the_tower_repository(original, tmp_path):
    tower = original.write_tower(tmp_path / "tower", hidden_act="quick_gelu")
    folder = original.write(tmp_path / "main")
    refused(folder, rf"main holds no video tower \(keys {TOWER}\*\): hf download LanguageBind/LanguageBind_Video_merge")
    refused(folder, "tower has hidden_act=quick_gelu, the encoder has gelu: encoder.hidden_act", video_tower=str(tower))
    (tower / "config.json").write_text('{"model_type": "clip"}')
    refused(folder, "model_type must be LanguageBindVideo .*, got clip", video_tower=str(tower))
    refused(folder, "model.video_tower=/nowhere is no folder: hf download .*Video_merge", video_tower="/nowhere")


def test_tokenizers(original, tmp_path):
    folder = original.write(tmp_path)
    write_words(folder, fallback=False)
    refused(folder, "has no tokens for all of the prompt: .*comes back as")
    (folder / "tokenizer.json").write_text("{")
    refused(folder, r"tokenizer\.json cannot be read")
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    with patch.object(config_json, "find_spec", lambda name: None):
        refused(folder, r"tokenizer\.model can only be read with two more packages: pip install sentencepiece protobuf")
    (folder / "tokenizer.model").unlink()
    refused(folder, r"tokenizer\.model is missing, and so is tokenizer\.json")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"dtype": "int8"}, "model.dtype must be one of bfloat16, float16, float32, got int8"),
        ({"device": "gpu"}, "model.device must be auto, balanced, cpu, cuda or a list like .*, got gpu"),
        ({"weights": "none"}, "model.weights must be checkpoint or random, got none"),
    ],
)
def test_options(original, tmp_path, options, line):
    refused(original.write(tmp_path), line, **options)


@pytest.mark.parametrize("path", ["./nowhere", "nowhere", "/a/b/c"])
def test_a_folder_that_is_not_there(path):
    refused(path, rf"model\.path={path} is no folder: hf download LanguageBind/Video-LLaVA-7B --local-dir {path}")


def test_a_repository_that_is_not_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    line = r"model\.path=me/mine .* HF_HUB_OFFLINE=1: hf download me/mine --local-dir FOLDER, then model\.path=FOLDER"
    refused("me/mine", line)


def test_a_repository_in_the_cache_is_used_offline(original, tmp_path, monkeypatch):
    """The cache's own layout: refs/main names the snapshot."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("intpv.model.loading.hub.snapshot_download", _cached(tmp_path))
    snapshot = tmp_path / "models--me--mine/snapshots" / ("a" * 40)
    original.write(snapshot)
    (tmp_path / "models--me--mine/refs").mkdir()
    (tmp_path / "models--me--mine/refs/main").write_text("a" * 40)
    assert read("me/mine").encoder.group_length == 8


def _cached(folder):
    from huggingface_hub import snapshot_download

    return lambda *given, **options: snapshot_download(*given, cache_dir=folder, **options)


def test_random_small_weights_do_not_take_an_encoder_that_waits_for_its_own():
    with pytest.raises(BadInput, match=r"encoder has no weights of its own: choose its own model"):
        load_random(unloaded(**SIZES))
    assert load_random(LanguageBind(**{**SIZES, "llm_width": 128})).name == "random"
