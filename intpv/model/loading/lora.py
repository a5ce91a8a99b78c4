"""LoRA: a PEFT folder added into a loaded model's own weights (W + alpha / r * B A, arXiv 2106.09685), strictly.

PEFT itself only warns about weights that it finds no place for, which is how an adapter is lost without a sign. Here
every tensor of the folder is used, or the folder is refused.
"""

import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from intpv.cache.hashing import file_hash
from intpv.errors import BadInput
from intpv.model.loading.config_json import json_object
from intpv.model.model import Model
from intpv.regular_file import NotRegular, size_of

WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
PROJECTOR = "non_lora_trainables.bin"  # what LLaVA's own training script saves beside the adapter
# where the decoder sits in the models that adapters are trained on, longest first
DECODERS = ("model.language_model.model.", "language_model.model.", "model.language_model.", "model.")


def incomplete(folder: Path) -> BadInput:
    """What to raise for a folder that lacks files."""
    return BadInput(f"model.lora={folder} must hold adapter_config.json and one of {', '.join(WEIGHTS)}")


def merge(model: Model, path: str, apart: bool = False) -> Model:
    """The same model, the folder's LoRA added into its decoder's weights (computed beside them where `apart`) and,
    where it holds one, its projector replaced.

    Needs the package peft. BadInput for a folder that is incomplete, for a key that names no weight of the decoder,
    and for shapes that do not fit, naming file and key.
    """
    try:
        from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    except ImportError:
        raise BadInput("a LoRA needs the package peft to be read: pip install 'intpv[lora]'") from None
    folder = Path(path).expanduser()
    file = next((folder / name for name in WEIGHTS if (folder / name).exists()), None)
    if file is None or not (folder / "adapter_config.json").is_file():
        raise incomplete(folder)
    _check_config(folder / "adapter_config.json")
    config = LoraConfig.from_pretrained(str(folder))
    weights = _renamed(_read(file), _place_of_decoder(model.llm), file)
    config.target_modules = sorted({key.rsplit(".lora_", 1)[0] for key in weights})
    _check(model.llm, weights, file)
    config.base_model_name_or_path = None  # else PEFT warns of a decoder that lies elsewhere than where it was trained
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's own, of a name that transformers will drop
        around = get_peft_model(model.llm, config)
    loaded: Any = set_peft_model_state_dict(
        around, {f"base_model.model.{key}": value for key, value in weights.items()}
    )
    if loaded.unexpected_keys:
        raise BadInput(f"{file}: {loaded.unexpected_keys[0]} has no place in the decoder")
    # apart, peft's layers already stand in the decoder's own places
    if not apart and around.merge_and_unload() is not model.llm:
        raise RuntimeError("peft merged into another module than the decoder it was given")
    if (folder / PROJECTOR).is_file():
        _replace_projector(model, folder / PROJECTOR)
    model.llm.eval().requires_grad_(False)
    return model


def _check_config(file: Path) -> None:
    stated = json_object(file)
    if stated.get("peft_type") != "LORA":
        raise BadInput(f"{file}: peft_type must be LORA, got {stated.get('peft_type')}")
    for name in ("modules_to_save", "use_dora", "trainable_token_indices"):
        if stated.get(name):
            raise BadInput(f"{file}: {name} must be empty, got {stated[name]}: only LoRA can be added into weights")
    if stated.get("bias", "none") != "none":
        raise BadInput(f"{file}: bias must be none, got {stated['bias']}")


def _read(file: Path) -> dict[str, Tensor]:
    try:
        size_of(file)
        if file.suffix == ".safetensors":
            return load_file(file)
        return torch.load(file, weights_only=True, map_location="cpu")
    except Exception as error:  # safetensors and pickle each have errors of their own
        reason = error.strerror if isinstance(error, NotRegular) else " ".join(str(error).split())[:120]
        raise BadInput(f"{file} cannot be read ({type(error).__name__}: {reason})") from None


def _place_of_decoder(llm: PreTrainedModel) -> str:
    decoder = llm.get_decoder()
    return next(f"{name}." for name, module in llm.named_modules() if module is decoder)


def _renamed(weights: dict[str, Tensor], decoder: str, file: Path) -> dict[str, Tensor]:
    """Keys as the loaded model names them; `decoder` is where its text model sits."""
    renamed = {}
    for key, value in weights.items():
        inside = key.removeprefix("base_model.model.")
        place = next((prefix for prefix in DECODERS if inside.startswith(f"{prefix}layers.")), None)
        if ".lora_" not in inside or (place is None and not inside.startswith("lm_head.")):
            raise BadInput(f"{file}: {key} is no LoRA weight of the decoder")
        if not value.isfinite().all():
            raise BadInput(f"{file}: {key} holds a number that is not finite")
        renamed[inside if place is None else f"{decoder}{inside.removeprefix(place)}"] = value
    return renamed


def _check(llm: PreTrainedModel, weights: dict[str, Tensor], file: Path) -> None:
    modules = dict(llm.named_modules())
    for key, value in weights.items():
        name, half = key.rsplit(".lora_", 1)
        weight = getattr(modules.get(name), "weight", None)
        if weight is None:
            layers = llm.config.get_text_config().num_hidden_layers
            raise BadInput(f"{file}: {name} is no module of the decoder, which has {layers} layers")
        side = 1 if half.startswith("A") else 0
        if value.shape[side] != weight.shape[side]:
            raise BadInput(f"{file}: {key} must fit a weight of {tuple(weight.shape)}, got {tuple(value.shape)}")


def _replace_projector(model: Model, file: Path) -> None:
    """The projector that was trained along; nothing else may be in the file."""
    projector = getattr(model.encoder, "projector", None)
    if projector is None:
        raise BadInput(f"{file}: {model.name} has no projector that it could replace")
    held, found = projector.state_dict(), {}
    for key, value in _read(file).items():
        name = key.rpartition("mm_projector.")[2]
        if "mm_projector." not in key or name not in held:
            raise BadInput(f"{file}: {key} has no place in the model")
        if value.shape != held[name].shape:
            raise BadInput(f"{file}: {key} must be of {tuple(held[name].shape)}, got {tuple(value.shape)}")
        found[name] = value.to(held[name].dtype)
    if missing := held.keys() - found:
        raise BadInput(f"{file}: the projector's {sorted(missing)[0]} is missing")
    projector.load_state_dict(found, strict=True)


# Merging: the argument `lora` that every loader takes, and what a cell counts it by.


def mergeable(load: Callable[..., Model]) -> Callable[..., Model]:
    """`load` with one more argument, `lora`: None, or a folder that is merged into what was loaded."""

    @wraps(load)
    def with_lora(*given, lora: str | None = None, **settings) -> Model:
        model = load(*given, **settings)
        return model if lora is None else merge(model, lora)

    return with_lora


def content(path: str) -> list[str]:
    """Hashes of all that `merge` reads of a folder: two adapters of one name are two, one that has moved is one."""
    folder = Path(path).expanduser()
    files = [folder / name for name in ("adapter_config.json", *WEIGHTS, PROJECTOR)]
    found = [file_hash(file) for file in files if file.is_file()]
    if len(found) < 2:
        raise incomplete(folder)
    return found
