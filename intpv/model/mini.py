"""intpv's own checkpoint folder: every part in the format its ordinary loader reads, and a fingerprint over the rest.

config.json, model.safetensors, tokenizer*.json   transformers: AutoModelForCausalLM, AutoTokenizer
encoder/config.json, encoder/model.safetensors    encoder name and sizes; tower.* and projector.*
intpv.json                                        prompt, preprocessing, training, fingerprint
"""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv import shipped
from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model.loading.config_json import json_object
from intpv.model.loading.folder import read_folder
from intpv.model.loading.hub import precision
from intpv.model.loading.lora import merge, mergeable
from intpv.model.loading.shards import Naming, Shards, fill
from intpv.model.model import Model, Prompt
from intpv.preprocess.clip import Preprocess
from intpv.preprocess.pixels import Pixels


@mergeable
def load(
    encoder: VideoEncoder,
    path: str | None = None,
    dtype: str = "float32",
    name: str = "",
    recipe: str = "mini",
    seed: int = 0,
    tuned: str | None = None,
) -> Model:
    """The folder's model with its weights in `encoder`; `path` None is the one shipped of this recipe and seed, `tuned`
    the name of an adapter that comes with it.

    Raises BadInput when the folder is incomplete or the encoder is not the one that the checkpoint was trained with.
    """
    folder = Path(path).expanduser() if path else shipped.shipped(recipe, seed)
    for needed in ("config.json", "intpv.json", "encoder/config.json", "encoder/model.safetensors"):
        if not (folder / needed).is_file():
            raise BadInput(f"model.path={folder} is no intpv checkpoint: {needed} is missing")
    llm, tokenizer = read_folder(folder, "LlamaForCausalLM", dtype, "cpu")
    model = around(folder, llm, tokenizer, encoder, dtype, name or (folder.name if path else recipe))
    return model if tuned is None else merge(model, str(shipped.tuned(path, recipe, seed, tuned)))


def around(
    folder: Path,
    llm: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoder: VideoEncoder,
    dtype: str,
    name: str,
) -> Model:
    """What of a checkpoint is not the language model, put around one. BadInput where parts do not belong together."""
    _check_encoder(encoder, json_object(folder / "encoder/config.json"), folder)
    prompt, preprocess, stated, about = _notes(folder / "intpv.json")
    expected = fingerprint(prompt, preprocess, tokenizer)
    if stated != expected:
        raise BadInput(
            f"{folder}: prompt, tokenizer or preprocessing is not what the model was trained with: "
            f"fingerprint {stated[:12]}, now {expected[:12]}"
        )
    fill([(Shards.find(folder / "encoder"), Naming(()))], encoder, precision(dtype), torch.device("cpu"))
    encoder.to(precision(dtype)).eval().requires_grad_(False)
    return Model(name, llm, encoder, tokenizer, prompt, preprocess, about)


def save(folder: Path, model: Model, training: dict) -> None:
    """Write the folder, weights in float16; `training` is kept as a note for the reader."""
    folder.mkdir(parents=True, exist_ok=True)
    model.llm.half().save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    save_around(folder, model, training)


def save_around(folder: Path, model: Model, training: dict) -> None:
    """Write what of a checkpoint is not the language model: encoder and notes."""
    (folder / "encoder").mkdir(parents=True, exist_ok=True)
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
    for file in folder.rglob("*.safetensors"):  # the library makes them private, whatever the user's umask
        shutil.copymode(folder / "intpv.json", file)


def fingerprint(prompt: Prompt, preprocess: Pixels, tokenizer) -> str:
    """sha256 over everything but the weights that changes what the model reads."""
    parts = [asdict(prompt), asdict(preprocess), sorted(tokenizer.get_vocab().items())]
    # a vocabulary says nothing of lower-casing and splitting: how a line is cut does
    parts.append(tokenizer("USER: Which color flashed first? yes, No.").input_ids)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _notes(file: Path) -> tuple[Prompt, Preprocess, str, str]:
    notes = json_object(file)
    try:
        prompt, preprocess = Prompt(**notes["prompt"]), Preprocess(**notes["preprocess"])
        return prompt, preprocess, notes["fingerprint"], notes.get("about", "")
    except (KeyError, TypeError) as error:
        raise BadInput(f"{file} must hold prompt, preprocess and fingerprint: {type(error).__name__} {error}") from None


def _check_encoder(encoder: VideoEncoder, stated: dict, folder: Path) -> None:
    got = encoder.description
    for key, value in stated.items():
        if got.get(key) != value:
            part = "" if key == "encoder" else "encoder."
            raise BadInput(f"{folder} was trained with {part}{key}={value}, got {key}={got.get(key)}")


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
