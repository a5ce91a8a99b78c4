"""Stated: what a checkpoint's config.json says, and whether an encoder is the one that it says."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import LlamaConfig

from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput

NEEDED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "rms_norm_eps",
)
OPTIONAL = ("num_key_value_heads", "head_dim", "hidden_act", "rope_theta", "rope_scaling", "rope_parameters")
OPTIONAL += ("attention_bias", "mlp_bias", "bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings")


def config_of(folder: Path, model_types: tuple[str, ...], model: str) -> dict[str, Any]:
    """config.json as a dict. Raises BadInput for a missing or damaged file and for another architecture."""
    config = json_object(file := folder / "config.json")
    if (got := config.get("model_type")) not in model_types:
        raise BadInput(f"{file}: model_type must be {' or '.join(model_types)} for model={model}, got {got}")
    return config


def json_object(file: Path) -> dict[str, Any]:
    """Raises BadInput for a file that is missing, damaged, or holds something else than names and values."""
    if not file.is_file():
        raise BadInput(f"{file} is missing")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{file} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadInput(f"{file} must hold an object, got a {type(content).__name__}")
    return content


def llama_config(values: Mapping[str, Any], where: str) -> LlamaConfig:
    """transformers' config from a flat one; keys of the training are left out, tokenizer_model_max_length among them:
    the original cuts the merged sequence there, question and all."""
    if missing := [key for key in NEEDED if values.get(key) is None]:
        raise BadInput(f"{where} must state {', '.join(missing)}")
    if values.get("tie_word_embeddings"):
        raise BadInput(f"{where}: tie_word_embeddings must be false, got true")
    chosen = {key: values[key] for key in (*NEEDED, *OPTIONAL) if values.get(key) is not None}
    try:
        return LlamaConfig(**chosen)
    except Exception as error:  # transformers' own checks raise several types
        raise BadInput(f"{where}: {' '.join(str(error).split())[:160]}") from None


def check_tower(encoder: VideoEncoder, stated: Mapping[str, Any], where: str) -> None:
    """BadInput where a tower's config and the encoder's sizes differ; what it does not state is not compared."""
    if not stated.get("add_time_attn", True):
        raise BadInput(f"{where}: add_time_attn must be true, got false: that tower has no temporal attention")
    for key, ours in asdict(encoder.config).items():
        if (theirs := stated.get(key, ours)) != ours:
            raise BadInput(f"{where}: the tower has {key}={theirs}, the encoder has {ours}: encoder.{key}={theirs}")


def check_select(encoder: VideoEncoder, layer: Any, where: str) -> None:
    """BadInput where the tower's output is taken after another block than the checkpoint was trained with."""
    if not isinstance(layer, int):
        raise BadInput(f"{where} must be one layer, got {layer}")
    if (depth := encoder.config.depth(layer)) != encoder.depth:
        raise BadInput(f"{where}={layer} is what block {depth} gives, the encoder's is that of block {encoder.depth}")
