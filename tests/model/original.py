"""Small checkpoints in the layout of LanguageBind/Video-LLaVA-7B, written here as they lie on the hub."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from intpv.encoder.languagebind import LanguageBind
from intpv.model.model import Prompt
from intpv.model.video_llava import load
from intpv.preprocess.video_llava import TensorCrop

from .llama_words import llama_tokenizer

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "hidden_act": "gelu",
    "select_layer": -2,
    "llm_width": 48,
}  # those of the reference tower in tests/golden
LLM = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 272,
    "rms_norm_eps": 1e-5,
}
PROMPT = Prompt("A chat between a curious human and an artificial intelligence assistant. USER: ", "", "\n{question}:")
TOWER = "model.video_tower.video_tower."
CONFIG = {
    "architectures": ["LlavaLlamaForCausalLM"],
    "model_type": "llava",
    "mm_image_tower": "LanguageBind/LanguageBind_Image",
    "mm_video_tower": "LanguageBind/LanguageBind_Video_merge",
    "mm_projector_type": "mlp2x_gelu",
    "mm_hidden_size": SIZES["hidden_size"],
    "mm_vision_select_layer": -2,
    "mm_vision_select_feature": "patch",
    "mm_use_im_start_end": False,
    "mm_use_im_patch_token": False,
    "tokenizer_model_max_length": 128,  # a trap: nothing may be cut there
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "rope_scaling": None,
    "tie_word_embeddings": False,
    **LLM,
}


class Original:
    """The parts built directly, and the same as the original's state dict; `tower` replaces the tower's weights."""

    def __init__(self, tower: dict[str, Tensor] | None = None):
        self.words = llama_tokenizer()
        self.config = {**CONFIG, "vocab_size": len(self.words)}
        torch.manual_seed(0)
        self.llm = LlamaForCausalLM(LlamaConfig(**LLM, vocab_size=len(self.words), initializer_range=0.15))
        self.encoder = LanguageBind(**SIZES)
        if tower is not None:
            self.encoder.tower.load_state_dict(tower, strict=True)
        for module in (self.llm, self.encoder):
            module.eval().requires_grad_(False)
        self.weights = dict(self.llm.state_dict())
        for key, value in self.encoder.projector.state_dict().items():
            self.weights[f"model.mm_projector.{key}"] = value
        for key, value in self.encoder.tower.state_dict().items():
            self.weights[TOWER + key] = value
            if "temporal" not in key:
                self.weights[f"model.image_tower.image_tower.{key}"] = value + 1
        self.weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(6)
        self.weights[f"{TOWER}embeddings.position_ids"] = torch.arange(17)[None]

    def write(self, folder: Path, kind: str = "safetensors", shards: int = 1, index: bool = True) -> Path:
        """The whole folder; `kind` is safetensors or bin."""
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder, self.weights, kind, shards, index)
        (folder / "config.json").write_text(json.dumps(self.config))
        self.words.save_pretrained(folder)
        return folder

    def write_tower(self, folder: Path, **changes) -> Path:
        """The tower alone, as in LanguageBind_Video_merge, and out of `weights`."""
        folder.mkdir(parents=True, exist_ok=True)
        moved = {key: self.weights.pop(key) for key in list(self.weights) if key.startswith(TOWER)}
        alone = {f"vision_model.{key.removeprefix(TOWER)}": value for key, value in moved.items()}
        alone |= {"text_model.embeddings.token_embedding.weight": torch.ones(2, 2), "logit_scale": torch.ones(())}
        alone |= {f"{one}_projection.weight": torch.ones(2, 2) for one in ("visual", "text")}
        write_weights(folder, alone, "bin", 1)
        sizes = {key: value for key, value in SIZES.items() if key not in ("select_layer", "llm_width")}
        tower = {"add_time_attn": True, "num_frames": 8, **sizes, **changes}
        (folder / "config.json").write_text(json.dumps({"model_type": "LanguageBindVideo", "vision_config": tower}))
        return folder


def write_weights(folder: Path, weights: dict[str, Tensor], kind: str, shards: int, index: bool = True) -> None:
    """One file or several with their index, named as on the hub."""
    name = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}[kind]
    stem, suffix = name.split(".")
    keys, places = sorted(weights), {}
    for number in range(shards):
        file = name if shards == 1 else f"{stem}-{number + 1:05}-of-{shards:05}.{suffix}"
        part = {key: weights[key].clone() for key in keys[number::shards]}
        save_file(part, folder / file) if kind == "safetensors" else torch.save(part, folder / file)
        places |= dict.fromkeys(part, file)
    if shards > 1 and index:
        (folder / f"{name}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def read(folder: Path, encoder: nn.Module | None = None, **options):
    """Through the loader, on the CPU in float32 unless told otherwise."""
    from intpv.encoder.video_llava import unloaded

    chosen = {"dtype": "float32", "device": "cpu", "llm": {}, **options}
    tower = encoder if encoder is not None else unloaded(**SIZES)
    return load(tower, PROMPT, TensorCrop(size=32), path=str(folder), **chosen)
