"""Model settings: what encoder and model are told, against each other and against a checkpoint's small config files.

No weights are read and no torch is needed for what is plainly wrong; what else a checkpoint may hold, its loader says.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from intpv.bounds import check_flag, check_place, check_text, check_whole, shown
from intpv.cache.hashing import file_hash
from intpv.encoder.tower_config import TowerConfig
from intpv.errors import BadInput
from intpv.record.damaged import stamp
from intpv.shipped import shipped, tuned

from .options import known_keys, nearest

OWN_PARTS = ("intpv.json", "encoder/config.json", "encoder/model.safetensors")
MINI = "intpv.model.mini.load"
OWN_FORMATS = {  # loader -> the files of its folders
    MINI: ("config.json", *OWN_PARTS),
    "intpv.model.smollm2.load": ("adapter_config.json", "adapter_model.safetensors", *OWN_PARTS),
}
DTYPES = ("bfloat16", "float16", "float32")
CHOICES = {"weights": ("checkpoint", "random"), "text_after": ("grid", "video"), "dtype": DTYPES}
DEVICE = re.compile(r"\d+|(cpu|cuda|mps|xpu|meta)(:\d+)?")  # torch's
COUNTS = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size", "max_position_embeddings")
SIZES = (*COUNTS, "head_dim", "hidden_size", "intermediate_size")


def check_encoder(encoder: Mapping) -> None:
    """BadInput for sizes that no tower has."""
    _check_known("encoder", encoder)
    if "num_frames" not in encoder:
        raise BadInput("encoder.num_frames is missing: it is the group length N")
    check_whole("encoder.num_frames", encoder["num_frames"])
    sizes = {field.name: encoder[field.name] for field in fields(TowerConfig) if field.name in encoder}
    if len(sizes) > 1:  # the checkpoint's own tower is told num_frames alone
        for field in fields(TowerConfig):
            if field.name not in encoder and field.name in ("hidden_size", "image_size", "patch_size", "hidden_act"):
                raise BadInput(f"encoder.{field.name} is missing: it must not be deleted")
        tower = TowerConfig(**sizes)
        check_whole("encoder.llm_width", encoder.get("llm_width"))
        tower.depth(encoder.get("select_layer"))
        if "keep_cls" in encoder:
            check_flag("encoder.keep_cls", encoder["keep_cls"])


def check_model(model: Mapping, encoder: Mapping, choices: Mapping[str, str | None]) -> None:
    """BadInput for settings that no loader takes, and for an encoder that a checkpoint here was not trained with."""
    _check_known("model", model)
    for key, known in CHOICES.items():
        if key in model and model[key] not in known:
            raise BadInput(f"model.{key} must be one of {', '.join(known)}, got {shown(model[key])}")
    if "seed" in model:
        check_whole("model.seed", model["seed"], 0)
    if "trained_visual_length" in model:
        check_whole("model.trained_visual_length", model["trained_visual_length"], or_null=True)
    if "usual_grid" in model:
        grid = model["usual_grid"]
        if not isinstance(grid, list) or len(grid) != 2 or not all(type(side) is int and side >= 1 for side in grid):
            raise BadInput(f"model.usual_grid must be rows and columns, two whole numbers of at least 1, got {grid}")
    for key, value in (model.get("llm") or {}).items():
        if key in SIZES:
            check_whole(f"model.llm.{key}", value)
        elif key == "rms_norm_eps" and not (isinstance(value, float) and 0 < value < 1):
            raise BadInput(f"model.llm.{key} must be between 0 and 1, got {shown(value)}")
    if "device" in model:
        _check_device(model["device"])
    for key in ("path", "lora", "video_tower", "base"):
        if model.get(key) is not None:
            check_place(f"model.{key}", model[key])
    if model.get("name") is not None:
        check_text("model.name", model["name"])
    for key in ("lora", "tuned"):
        if model.get(key) is not None and not find_spec("peft"):
            raise BadInput(f"model.{key} needs the package peft: pip install 'intpv[lora]'")
    if "cache_dir" in model:
        check_place("model.cache_dir", model["cache_dir"])
    for key in ("merged", "strict"):
        if key in model:
            check_flag(f"model.{key}", model[key])
    if model["_target_"] == MINI:
        if model.get("tuned") is not None:
            tuned(model["path"], model["recipe"], model["seed"], model["tuned"])
        _check_trained_with(_folder(model), encoder, OWN_FORMATS[MINI])
    elif model["_target_"] in OWN_FORMATS:
        if (folder := _folder(model)).is_dir():  # its loader says how one is made
            _check_trained_with(folder, encoder, OWN_FORMATS[model["_target_"]])
    elif "path" in model and model["path"] is None:
        raise BadInput(
            f"model={choices.get('model')} reads a checkpoint of yours: model.path=FOLDER, for example after "
            "hf download REPOSITORY --local-dir FOLDER"
        )
    else:
        stated = _json(model, "config.json").get("vision_config")
        frames = stated.get("num_frames", encoder["num_frames"]) if isinstance(stated, dict) else encoder["num_frames"]
        if frames != encoder["num_frames"]:
            raise BadInput(
                f"{_folder(model)}/config.json: the tower has num_frames={frames}, the encoder has "
                f"{encoder['num_frames']}: encoder.num_frames={frames}"
            )


def head_dim(model: Mapping) -> int | None:
    """d of a checkpoint whose config.json is in reach, else None."""
    stated = _json(model, "config.json")
    stated = stated.get("text_config", stated)
    try:
        return stated.get("head_dim") or stated["hidden_size"] // stated["num_attention_heads"]
    except (KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None


def _check_known(group: str, given: Mapping) -> None:
    known = known_keys()
    for key in given:
        if not key.startswith("_") and f"{group}.{key}" not in known:
            raise BadInput(f"there is no key {group}.{key}{nearest(f'{group}.{key}', known)}")
    if "_target_" not in given:
        raise BadInput(f"{group}._target_ is missing: it must not be deleted")


def _check_device(device: object) -> None:
    """The form alone: which devices there are is for the machine that the cell runs on to say."""
    named = device if isinstance(device, list) else [device]
    if not named or not (device in ("auto", "balanced") or all(DEVICE.fullmatch(str(one)) for one in named)):
        raise BadInput(
            f"model.device must be auto, balanced, cpu, cuda or a list like [cuda:0,cuda:1], got {shown(device)}"
        )


def _folder(model: Mapping) -> Path:
    path = model.get("path")
    if isinstance(path, str) and path:
        return Path(path).expanduser()
    named = model["_target_"].split(".")[-2]  # the module of a loader of ours is called as what it loads
    return shipped(model.get("recipe", named), model.get("seed", 0))


def own_content(model: Mapping) -> list[str] | None:
    """Hashes of a model that the user trained with a verb of ours, as `lora.content` has them; None for every other."""
    known = OWN_FORMATS.get(model.get("_target_", ""))
    if known is None or not model.get("path") or not (folder := _folder(model)).is_dir():
        return None
    files = [folder / name for name in (*known, "model.safetensors")]
    return [file_hash(file) for file in files if file.is_file()]


def _json(model: Mapping, name: str) -> dict:
    """A small file of the checkpoint; nothing where it is not at hand or damaged, for its loader says so better."""
    if model["_target_"] not in OWN_FORMATS and not isinstance(model.get("path"), str):
        return {}
    return _read_json(_folder(model) / name)


def _read_json(file: Path) -> dict:
    """Read once, as long as nobody touches the file: all cells of a sweep ask for the same ones."""
    return _parsed(file, stamp(file))


@cache
def _parsed(file: Path, _stamp: tuple | None) -> dict:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _check_trained_with(folder: Path, encoder: Mapping, files: Sequence[str]) -> None:
    for needed in files:
        if not (folder / needed).is_file():
            raise BadInput(f"model.path={folder} is no intpv checkpoint: {needed} is missing")
    stated = _read_json(folder / "encoder/config.json")
    kind = encoder["_target_"].rpartition(".")[2]
    given = {**encoder, "encoder": stated.get("encoder") if kind == "unloaded" else kind}
    for key, value in stated.items():
        if key in given and given[key] != value:
            part = "" if key == "encoder" else "encoder."
            raise BadInput(f"{folder} was trained with {part}{key}={value}, got {key}={given[key]}")
