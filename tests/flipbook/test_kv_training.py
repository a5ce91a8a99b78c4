"""Training for a quantised cache meets what inference meets, and changes nothing but LoRA."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from experiments.train_kv import Options, adapt
from intpv.encoder.languagebind import LanguageBind
from intpv.errors import BadInput
from intpv.flipbook.batch import pack
from intpv.flipbook.kv_training import KVTraining, as_stored, prefix_layout
from intpv.flipbook.lesson import video_lesson
from intpv.flipbook.recipe import Geometry, KVRecipe
from intpv.kv_quant.kv_quant import NoQuant
from intpv.layout import Layout, Span
from intpv.model.loading.lora import merge
from intpv.model.mini import load
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

SMALL = Options(steps=4, batch=2, warmup=1, rank=2, every=2, threads=1)
DYNAMIC = ("none", "int8", "int4", "int2", "kivi", "k4v2", "temporal", "rotate", "best2", "vidkv_like", "tensor2")


def mini():
    return load(LanguageBind(**Geometry().encoder))


@pytest.fixture(scope="module")
def lesson():
    return video_lesson(np.random.default_rng(5), 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", DYNAMIC)
def test_the_training_reads_what_inference_reads(lesson, name):
    """The likelihood of each answer's first word is the one that watch and ask gives it."""
    model, kv_quant = mini(), option("kv_quant", name)
    pictures = torch.from_numpy(lesson.pictures).permute(0, 3, 1, 2)
    llm = VideoLLM(model, Strided(), NoScaling(), kv_quant, max_new_tokens=1)
    questions, firsts = [], []
    for _, question, answer in lesson.questions:
        questions.append(question)
        firsts.append(answer.split()[0])
    told = llm.ask(llm.watch(pictures, torch.arange(8.0)), questions, [[first] for first in firsts])

    module = KVTraining(KVRecipe(), model, kv_quant)  # LoRA begins as nothing
    batch = pack([lesson], model.tokenizer, model.prompt, module.visual_length)
    with torch.no_grad():
        tokens = module.encoder(module.preprocess(pictures)[None])
        logits = module.answer_logits(batch, module.embed(batch, tokens), kv_quant)
    table = torch.zeros(*batch.targets.shape, logits.shape[-1])
    table[batch.targets != -100] = logits.log_softmax(-1)
    got = [float(table[0, place, batch.targets[0, place]]) for place in batch.answers[0]]
    assert got == pytest.approx([answer.loglik[0] for answer in told], abs=1e-4)


def test_gradients_pass_the_rounding_as_if_there_were_none():
    torch.manual_seed(0)
    layout = Layout((Span(2), Span(10, time=0.0), Span(10, time=1.0), Span(2)))
    sides = [torch.randn(3, 4, 24, 32, requires_grad=True) for _ in range(2)]
    weights = [torch.randn(3, 4, 24, 32) for _ in range(2)]
    angles = torch.arange(24.0)[:, None] * torch.rand(16)
    ((keys, values),) = as_stored([tuple(sides)], option("kv_quant", "int2"), layout, angles)
    assert not torch.allclose(keys, sides[0], atol=1e-2)
    ((keys * weights[0]).sum() + (values * weights[1]).sum()).backward()
    for side, weight in zip(sides, weights, strict=True):
        assert torch.allclose(side.grad, weight, atol=1e-6)


def test_the_prefix_is_laid_out_as_a_video_llm_lays_it_out():
    model = mini()
    llm = VideoLLM(model, Strided(), NoScaling(), NoQuant())
    got, wanted = prefix_layout(model), llm.prefix_layout(8)
    assert [(span.length, span.is_frame) for span in got.spans] == [(s.length, s.is_frame) for s in wanted.spans]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["answers", "self"])
def test_an_adapter_is_trained_and_nothing_else(tmp_path, target):
    adapt(replace(SMALL, target=target, out=str(tmp_path / "out")))
    folder, base = tmp_path / "out/model", mini()
    plain = {name: value.clone() for name, value in base.llm.state_dict().items()}
    adapted = merge(base, str(folder)).llm.state_dict()
    moved = {name.split(".")[-2] for name in plain if not torch.equal(plain[name], adapted[name])}
    assert moved == {"q_proj", "k_proj", "v_proj", "o_proj"}
    told = json.loads((folder / "intpv.json").read_text())
    assert (told["recipe"]["kv_quant"], told["recipe"]["target"]) == ("int2", target)
    assert str(tmp_path) not in (folder / "intpv.json").read_text()


def test_the_teacher_is_the_model_before_training():
    model = mini()
    words = torch.arange(3, 40)[None]
    before = model.llm(words).logits
    module = KVTraining(KVRecipe(), model, NoQuant())
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    with torch.no_grad():
        for weight in trained:
            weight += 0.1
        assert not torch.allclose(model.llm(words).logits, before, atol=1e-3)
        with module.without_lora():
            assert torch.equal(model.llm(words).logits, before)
    assert [weight for weight in module.parameters() if weight.requires_grad] == trained


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(BadInput, match="target must be answers or self, got words"):
        KVTraining(KVRecipe(target="words"), mini(), NoQuant())
    with pytest.raises(BadInput, match=r"kv_quant=paper_tensor .*calibration=embedded.*calibration=dynamic"):
        KVTraining(KVRecipe(kv_quant="paper_tensor"), mini(), option("kv_quant", "paper_tensor"))


@pytest.mark.slow
def test_a_stopped_training_ends_as_an_uninterrupted_one(tmp_path):
    adapt(replace(SMALL, out=str(tmp_path / "whole")))
    halves = replace(SMALL, out=str(tmp_path / "halves"))
    adapt(replace(halves, until=2))
    assert not (tmp_path / "halves/model").exists()
    adapt(halves)
    one, two = (load_file(tmp_path / part / "model/adapter_model.safetensors") for part in ("whole", "halves"))
    assert all(torch.equal(one[key], two[key]) for key in one)
