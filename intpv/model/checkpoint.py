"""intpv's own checkpoint folder: every part in the format its ordinary loader reads, and a fingerprint over the rest.

config.json, model.safetensors, tokenizer*.json   transformers: AutoModelForCausalLM, AutoTokenizer
encoder/config.json, encoder/model.safetensors    encoder name and sizes; tower.* and projector.*
intpv.json                                        prompt, preprocessing, training, fingerprint
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedModel

from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model.merging import mergeable
from intpv.model.model import Model
from intpv.model.prompt import Prompt
from intpv.video.pixels import Pixels
from intpv.video.preprocess import Preprocess

EMBEDDED = Path(__file__).parents[1] / "weights" / "mini"


@mergeable
def load(encoder: VideoEncoder, path: str | None = None, dtype: str = "float32", name: str = "") -> Model:
    """The folder's model with its weights in `encoder`; `path` None is the embedded mini model.

    Raises BadInput when the folder is incomplete or the encoder is not the one that the checkpoint was trained with.
    """
    folder = Path(path).expanduser() if path else EMBEDDED
    for needed in ("config.json", "intpv.json", "encoder/config.json", "encoder/model.safetensors"):
        if not (folder / needed).is_file():
            raise BadInput(f"model.path={folder} is no intpv checkpoint: {needed} is missing")
    _check_encoder(encoder, json.loads((folder / "encoder/config.json").read_text()), folder)
    notes = json.loads((folder / "intpv.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    prompt, preprocess = Prompt(**notes["prompt"]), Preprocess(**notes["preprocess"])
    expected = fingerprint(prompt, preprocess, tokenizer)
    if notes["fingerprint"] != expected:
        raise BadInput(
            f"{folder}: prompt, tokenizer or preprocessing is not what the model was trained with: "
            f"fingerprint {notes['fingerprint'][:12]}, now {expected[:12]}"
        )
    kind = getattr(torch, dtype)
    llm = LlamaForCausalLM.from_pretrained(folder, local_files_only=True, dtype=kind)
    encoder.load_state_dict(load_file(folder / "encoder/model.safetensors"), strict=True)
    return Model(
        name=name or folder.name,
        llm=_frozen(llm),
        encoder=_frozen(encoder.to(kind)),
        tokenizer=tokenizer,
        prompt=prompt,
        preprocess=preprocess,
        about=notes.get("about", ""),
    )


def save(folder: Path, model: Model, training: dict) -> None:
    """Write the folder, weights in float16; `training` is kept as a note for the reader."""
    (folder / "encoder").mkdir(parents=True, exist_ok=True)
    model.llm.half().save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    weights = {key: value.half().contiguous() for key, value in model.encoder.state_dict().items()}
    save_file(weights, folder / "encoder/model.safetensors")
    _write(folder / "encoder/config.json", model.encoder.description)
    notes = {
        "about": model.about,
        "prompt": asdict(model.prompt),
        "preprocess": asdict(model.preprocess),
        "training": training,
        "fingerprint": fingerprint(model.prompt, model.preprocess, model.tokenizer),
    }
    _write(folder / "intpv.json", notes)


def fingerprint(prompt: Prompt, preprocess: Pixels, tokenizer) -> str:
    """sha256 over everything but the weights that changes what the model reads."""
    parts = [asdict(prompt), asdict(preprocess), sorted(tokenizer.get_vocab().items())]
    # a vocabulary says nothing of lower-casing and splitting: how a line is cut does
    parts.append(tokenizer("USER: Which color flashed first? yes, No.").input_ids)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _check_encoder(encoder: VideoEncoder, stated: dict, folder: Path) -> None:
    got = encoder.description
    for key, value in stated.items():
        if got.get(key) != value:
            raise BadInput(f"{folder} was trained with encoder {key}={value}, got {key}={got.get(key)}")


def _frozen(module: nn.Module | PreTrainedModel):
    return module.eval().requires_grad_(False)


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
