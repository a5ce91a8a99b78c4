"""LoRA: merged weights equal PEFT's own adapted model; nothing in the folder may be left over."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from intpv.errors import BadInput
from intpv.model import mini
from intpv.model.loading.lora import content, merge
from intpv.shipped import EMBEDDED

from ..test_hf_llava import read, write

peft = pytest.importorskip("peft", reason="the extra lora is not installed")
IDS = torch.arange(1, 13)[None]


def fresh(**choice):
    from intpv.encoder.languagebind import LanguageBind

    stated = json.loads((EMBEDDED / "encoder/config.json").read_text())
    stated.pop("encoder")
    encoder = LanguageBind(llm_width=128, select_layer=stated.pop("depth"), **stated)
    return mini.load(encoder, **choice)


@pytest.fixture
def trained(tmp_path):
    """A folder as PEFT writes it, and the logits of PEFT's own adapted model."""
    torch.manual_seed(0)
    llm = fresh().llm
    config = peft.LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(llm, config).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.2)
    adapted.save_pretrained(tmp_path)
    with torch.no_grad():
        return tmp_path, adapted(IDS).logits


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model.llm(IDS).logits


def test_merged_weights_answer_as_the_adapted_model_does(trained):
    folder, expected = trained
    model = fresh()
    before = logits(model)
    merged = merge(model, str(folder))
    assert torch.allclose(logits(merged), expected, atol=1e-4)
    assert not torch.allclose(before, expected, atol=1e-2)
    assert type(merged.llm).__name__ == "LlamaForCausalLM"
    assert not any("lora" in name for name, _ in merged.llm.named_modules())


def test_a_loader_merges_what_it_is_given(trained):
    folder, expected = trained
    assert torch.allclose(logits(fresh(lora=str(folder))), expected, atol=1e-4)
    with pytest.raises(BadInput, match=r"model\.lora=/no/where must hold adapter_config\.json"):
        fresh(lora="/no/where")


def test_an_adapter_is_merged_into_a_model_with_its_own_tower(tmp_path):
    """LLaVA's decoder sits inside it; the adapter was trained on the whole model."""
    llava = write(tmp_path / "base")
    config = peft.LoraConfig(r=4, target_modules=r".*language_model.*\.(q_proj|v_proj)", init_lora_weights=False)
    adapted = peft.get_peft_model(llava, config).eval()
    adapted.save_pretrained(tmp_path / "lora")
    plain, merged = read(tmp_path / "base"), read(tmp_path / "base", lora=str(tmp_path / "lora"))
    with torch.no_grad():
        expected = adapted(input_ids=IDS).logits
    assert torch.allclose(logits(merged), expected, atol=1e-4)
    assert not torch.allclose(logits(plain), expected, atol=1e-2)


def test_a_cell_counts_an_adapter_by_its_bytes(trained, tmp_path):
    folder, _ = trained
    before, moved = content(str(folder)), tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    assert content(str(moved)) == before
    rewrite(moved, lambda held: {key: value + 1 for key, value in held.items()})
    assert content(str(moved)) != before


def rewrite(folder, change) -> None:
    file = folder / "adapter_model.safetensors"
    save_file(change(load_file(file)), file)


@pytest.mark.parametrize("prefix", ["model.language_model.", "language_model.model."])
def test_an_adapter_trained_inside_a_video_llm_is_the_same(trained, prefix):
    folder, expected = trained
    inside = {"base_model.model.model.": f"base_model.model.{prefix}"}
    rewrite(folder, lambda held: {key.replace(*next(iter(inside.items()))): value for key, value in held.items()})
    assert torch.allclose(logits(merge(fresh(), str(folder))), expected, atol=1e-4)


def test_the_projector_that_was_trained_along_is_used(trained):
    folder, _ = trained
    model = fresh()
    held = {f"base_model.model.model.mm_projector.{k}": v + 1 for k, v in model.encoder.projector.state_dict().items()}
    torch.save(held, folder / "non_lora_trainables.bin")
    before = model.encoder.projector[0].weight.clone()
    assert torch.equal(merge(model, str(folder)).encoder.projector[0].weight, before + 1)
    torch.save(
        {**held, "base_model.model.model.embed_tokens.weight": torch.zeros(1)}, folder / "non_lora_trainables.bin"
    )
    with pytest.raises(BadInput, match=r"embed_tokens.weight has no place"):
        merge(fresh(), str(folder))


@pytest.mark.parametrize("held", [{}, {"mm_projector.0.weight": torch.zeros(1)}])
def test_a_projector_for_a_model_without_one_is_refused(trained, held):
    folder, _ = trained
    torch.save(held, folder / "non_lora_trainables.bin")
    model = fresh()
    del model.encoder.projector
    with pytest.raises(BadInput, match=r"non_lora_trainables\.bin: mini has no projector that it could replace"):
        merge(model, str(folder))


def first(held: dict) -> str:
    return sorted(held)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda held: {
                **held,
                "base_model.model.model.layers.99.self_attn.q_proj.lora_A.weight": torch.ones(4, 128),
            },
            "99",
        ),
        (lambda held: {**held, "base_model.model.vision_tower.x.lora_A.weight": torch.ones(4, 128)}, "vision_tower"),
        (lambda held: held | {first(held): torch.ones(4, 7)}, r"must fit a weight of .*got \(4, 7\)"),
        (lambda held: held | {first(held): held[first(held)] * torch.nan}, "not finite"),
    ],
)
def test_what_has_no_place_is_refused(trained, change, message):
    folder, _ = trained
    rewrite(folder, change)
    with pytest.raises(BadInput, match=message):
        merge(fresh(), str(folder))


def test_a_folder_that_is_none_is_refused(trained):
    folder, _ = trained
    (folder / "adapter_model.safetensors").write_bytes(b"truncated")
    with pytest.raises(BadInput, match="cannot be read"):
        merge(fresh(), str(folder))
    stated = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**stated, "use_dora": True}))
    with pytest.raises(BadInput, match="use_dora must be empty, got True"):
        merge(fresh(), str(folder))
    (folder / "adapter_config.json").unlink()
    with pytest.raises(BadInput, match="must hold adapter_config"):
        merge(fresh(), str(folder))
