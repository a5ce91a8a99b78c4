"""A checkpoint folder: ordinary loaders read it, and whatever is not as in training is refused in one line."""

import json
import os
import stat

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.own import Own
from intpv.encoder.per_frame import PerFrame
from intpv.encoder.weightless import weightless
from intpv.errors import BadInput
from intpv.model.mini import load, save
from intpv.model.random import load as load_random

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


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_every_file_is_as_private_as_the_users_own(tmp_path, umask):
    before = os.umask(umask)
    try:
        save(tmp_path, tiny_model(), {"steps": 0})
    finally:
        os.umask(before)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o666 & ~umask}


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


LLM, ENCODER = "model.safetensors", "encoder/model.safetensors"


def rewrite(file, change) -> None:
    weights = load_file(file)
    change(weights)
    save_file(weights, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda f: rewrite(f / LLM, lambda w: w.pop("model.norm.weight")), r"lacks 1 tensors: model\.norm\.weight"),
        (
            lambda f: rewrite(f / LLM, lambda w: w.update({"model.norm.weight": torch.ones(63)})),
            r"in another shape 1 tensors: model\.norm\.weight \(63,\) instead of \(64,\)",
        ),
        (lambda f: rewrite(f / LLM, lambda w: w["model.norm.weight"].fill_(torch.nan)), "norm.weight holds nan"),
        (lambda f: (f / LLM).unlink(), "holds no weights"),
        (lambda f: rewrite(f / ENCODER, lambda w: w.pop("projector.0.bias")), r"1 tensors missing: projector\.0\.bias"),
        (lambda f: rewrite(f / ENCODER, lambda w: w.update(other=torch.ones(1))), "1 tensors left over: other"),
        (lambda f: rewrite(f / ENCODER, lambda w: w["projector.0.bias"].fill_(torch.inf)), "0.bias holds nan or inf"),
        *(
            (lambda f, part=part: (f / part).write_bytes((f / part).read_bytes()[:-9]), f"{part} cannot be read; is")
            for part in (LLM, ENCODER)
        ),
        (lambda f: (f / "intpv.json").write_text("{}"), r"intpv\.json must hold prompt, .*: KeyError 'prompt'"),
        (lambda f: (f / "encoder/config.json").write_text("["), r"encoder/config\.json is no JSON"),
    ],
)
def test_what_is_damaged_is_refused_in_one_line_and_the_encoder_left_alone(folder, spoil, line):
    spoil(folder)
    tower = encoder()
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    with pytest.raises(BadInput, match=line) as error:
        load(tower, str(folder))
    assert len(str(error.value).splitlines()) == 1
    assert all(torch.equal(value, before[name]) for name, value in tower.state_dict().items())


def test_an_encoder_without_weights_is_filled_or_refused(folder):
    with weightless():
        tower, other = encoder(), encoder(num_hidden_layers=3)
    assert not any(weight.is_meta for weight in load(tower, str(folder)).encoder.parameters())
    for wrong in (other, Own(num_frames=8)):
        with pytest.raises(BadInput, match="was trained with encoder"):
            load(wrong, str(folder))
    with pytest.raises(BadInput, match="no weights of its own"):
        load_random(Own(num_frames=8))


def test_another_type_of_number_is_refused(folder):
    with pytest.raises(BadInput, match=r"model\.dtype must be one of .*, got int8"):
        load(encoder(), str(folder), dtype="int8")
