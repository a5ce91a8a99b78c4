"""A checkpoint folder: ordinary loaders read it, and whatever is not as in training is refused in one line."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.per_frame import PerFrame
from intpv.errors import BadInput
from intpv.model.checkpoint import load, save

from ..tiny import SIZES, tiny_model


@pytest.fixture
def folder(tmp_path):
    save(tmp_path, tiny_model(), {"steps": 0})
    return tmp_path


def encoder(kind=LanguageBind, **changes):
    return kind(**{"llm_width": 64, "select_layer": -1, **SIZES, **changes})


def test_round_trip_in_half_precision(folder):
    model, original = load(encoder(), str(folder)), tiny_model()
    for got, expected in ((model.llm, original.llm), (model.encoder, original.encoder)):
        weights = dict(expected.named_parameters())
        assert all(torch.equal(p, weights[name].half().float()) for name, p in got.named_parameters())
        assert not any(p.requires_grad for p in got.parameters())
    assert (model.prompt, model.preprocess) == (original.prompt, original.preprocess)


def test_transformers_and_safetensors_read_it(folder):
    AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True).tokenize("Did RED flash?")
    assert tokens == ["did", "red", "flash", "?"]
    assert {key.split(".")[0] for key in load_file(folder / "encoder/model.safetensors")} == {"tower", "projector"}


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (lambda: encoder(PerFrame), "encoder=LanguageBind, got encoder=PerFrame"),
        (lambda: encoder(num_hidden_layers=3), "depth=2, got depth=3"),
        (lambda: encoder(hidden_act="quick_gelu"), "hidden_act=gelu, got hidden_act=quick_gelu"),
    ],
)
def test_another_encoder_is_refused(folder, other, line):
    with pytest.raises(BadInput, match=line):
        load(other(), str(folder))


@pytest.mark.parametrize("part", ["prompt", "preprocess"])
def test_a_changed_prompt_or_preprocessing_is_refused(folder, part):
    notes = json.loads((folder / "intpv.json").read_text())
    notes[part] |= {"prompt": {"ask": "{question}"}, "preprocess": {"resize": "bicubic"}}[part]
    (folder / "intpv.json").write_text(json.dumps(notes))
    with pytest.raises(BadInput, match="not what the model was trained with"):
        load(encoder(), str(folder))


def test_an_incomplete_folder_is_refused(folder):
    (folder / "encoder/model.safetensors").unlink()
    with pytest.raises(BadInput, match=r"encoder/model\.safetensors is missing"):
        load(encoder(), str(folder))
