"""A checkpoint in transformers' format: what comes back is what was saved, and what is wrong is said in one line."""

import json
import re

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from intpv.encoder.own import Own
from intpv.encoder.per_frame import PerFrame
from intpv.errors import BadInput
from intpv.model.llava_onevision import LlavaOnevision
from intpv.model.qwen3_vl import Qwen3VL

from ...tiny import SIZES
from ..families import QUESTIONS, clip, family
from ..test_families import build

WEIGHTS = "model.safetensors"


def saved(name: str, folder):
    model = family(name).model
    model.llm.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return model


def load(kind, folder, model, encoder=None, **settings):
    return kind.load(
        encoder or Own(num_frames=8),
        path=str(folder),
        prompt=model.prompt,
        preprocess=model.preprocess,
        trained_visual_length=24,
        **{"dtype": "float32", "device": "cpu", **settings},
    )


@pytest.fixture(scope="module")
def onevision(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onevision")
    return folder, saved("llava_onevision", folder)


@pytest.fixture
def copy(onevision, tmp_path):
    """A folder to spoil, and what it holds."""
    folder, model = onevision
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path, model


def rewrite(folder, change) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def test_what_comes_back_answers_alike(tmp_path):
    model = saved("qwen3_vl", tmp_path)
    again = load(Qwen3VL, tmp_path, model, usual_grid=[2, 3])
    pixels, times = clip(8, (16, 24))
    for one, other in zip(
        *(build(m).ask(build(m).watch(pixels, times), QUESTIONS) for m in (model, again)), strict=True
    ):
        assert torch.equal(one.logits, other.logits)
    assert not any(p.requires_grad for p in again.llm.parameters())
    assert (again.encoder.group_length, again.trained_visual_length, again.window_length) == (4, 24, 512)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_runs_close_by(onevision, dtype):
    folder, model = onevision
    half = load(LlavaOnevision, folder, model, dtype=dtype)
    assert {p.dtype for p in half.llm.parameters()} == {getattr(torch, dtype)}
    pixels, times = clip(8, (20, 20))
    a, b = (build(m).ask(build(m).watch(pixels, times), QUESTIONS)[0].logits.float() for m in (model, half))
    assert torch.cosine_similarity(a, b, dim=0) > 0.99


@pytest.mark.parametrize("choice", [{"dtype": "int8"}, {"dtype": "float64"}])
def test_a_dtype_that_is_none_is_refused(onevision, choice):
    with pytest.raises(BadInput, match=f"model.dtype must be one of .* got {choice['dtype']}"):
        load(LlavaOnevision, *onevision, **choice)


def test_another_architecture_is_refused_with_both(onevision):
    with pytest.raises(BadInput, match=r"config\.json: architectures must be Qwen3VL\w+, got LlavaOnevision\w+"):
        load(Qwen3VL, *onevision)


def test_a_folder_that_is_not_there_names_the_command(onevision):
    line = (
        "model.path=/no/where is no folder: hf download llava-hf/llava-onevision-qwen2-7b-ov-hf --local-dir /no/where"
    )
    with pytest.raises(BadInput, match=re.escape(line)):
        load(LlavaOnevision, "/no/where", onevision[1])


def test_another_encoder_is_refused(onevision):
    folder, model = onevision
    other = PerFrame(llm_width=64, select_layer=-1, **SIZES)
    with pytest.raises(BadInput, match="brings its own tower: encoder must be own, got PerFrame"):
        load(LlavaOnevision, folder, model, other)


def test_half_a_slot_in_a_group_is_refused(tmp_path):
    model = saved("qwen3_vl", tmp_path)
    with pytest.raises(BadInput, match=r"encoder\.num_frames must be a multiple of 2, got 7"):
        load(Qwen3VL, tmp_path, model, Own(num_frames=7))


def newline(weights) -> str:
    """Its key, whatever the version puts before it."""
    return next(key for key in weights if key.endswith("image_newline"))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda w: w.pop(newline(w)), r"lacks 1 tensors: \S*image_newline"),
        (
            lambda w: w.update({newline(w): w[newline(w)][:5].clone()}),
            "has in another shape 1 tensors: .*image_newline",
        ),
        (lambda w: w[newline(w)].fill_(float("nan")), "image_newline holds nan"),
    ],
    ids=["missing", "shape", "nan"],
)
def test_wrong_weights_are_refused_by_name(copy, change, line):
    folder, model = copy
    rewrite(folder, change)
    with pytest.raises(BadInput, match=line):
        load(LlavaOnevision, folder, model)


def test_a_shard_that_is_cut_short_is_refused_by_its_name(copy):
    folder, model = copy
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])
    with pytest.raises(BadInput, match=rf"{WEIGHTS} cannot be read; is it whole\?"):
        load(LlavaOnevision, folder, model)


def test_a_tokenizer_without_the_video_token_is_refused(copy):
    folder, model = copy
    config = json.loads((folder / "config.json").read_text())
    key = next(key for key in ("video_token_index", "video_token_id") if key in config)
    (folder / "config.json").write_text(json.dumps(config | {key: 9999}))
    with pytest.raises(
        BadInput, match=r"the tokenizer has no token 9999, which config\.json says stands for the video"
    ):
        load(LlavaOnevision, folder, model)


def test_code_in_the_folder_is_never_run(copy):
    folder, model = copy
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))
    (folder / "evil.py").write_text("raise SystemExit('it was run')")
    load(LlavaOnevision, folder, model)


def wrong_config(folder, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda f: (f / "config.json").write_text("{"), r"config\.json is no JSON"),
        (lambda f: (f / "config.json").write_text("[]"), r"config\.json must hold an object, got a list"),
        (lambda f: (f / "config.json").unlink(), r"config\.json is missing"),
        (lambda f: wrong_config(f, vision_config=7), "Error: "),
        (
            lambda f: wrong_config(f, quantization_config={"quant_method": "awq"}),
            r"config\.json: quantization_config must not be there, got awq: quantised weights are not read",
        ),
        (
            lambda f: rewrite(f, lambda w: w.update({newline(w): w[newline(w)].to(torch.int8)})),
            rf"{WEIGHTS}: \S*image_newline must be float, got I8: quantised weights are not read",
        ),
        (lambda f: (f / "tokenizer.json").write_text("{"), "the tokenizer cannot be read"),
        (lambda f: (f / "tokenizer.json").unlink(), r"holds no tokenizer: none of tokenizer\.json, "),
    ],
)
def test_a_damaged_folder_is_one_line_that_names_it_and_nothing_is_said_beside(copy, capfd, spoil, line):
    folder, model = copy
    spoil(folder)
    with pytest.raises(BadInput, match=line) as error:
        load(LlavaOnevision, folder, model)
    assert str(folder) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_transformers_talks_again_afterwards(onevision):
    talk = transformers.logging.get_verbosity()
    load(LlavaOnevision, *onevision)
    assert transformers.logging.get_verbosity() == talk
