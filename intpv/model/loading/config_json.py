"""Stated: what a checkpoint's config.json says, and whether an encoder is the one that it says."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from transformers import LlamaConfig, LlamaTokenizer, PreTrainedTokenizerBase

from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model.model import Prompt
from intpv.preprocess.clip import Preprocess
from intpv.preprocess.pixels import Pixels
from intpv.preprocess.siglip import Square
from intpv.regular_file import size_of

LARGEST = 2**28  # bytes of a text file of a checkpoint; the largest tokenizer.json known has a tenth
TEXTS = ("*.json", "tokenizer.model", "merges.txt", "vocab.txt", "*.jinja")
NEEDED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "rms_norm_eps",
)
OPTIONAL = (
    *("num_key_value_heads", "head_dim", "hidden_act", "rope_theta", "rope_scaling", "rope_parameters"),
    *("attention_bias", "mlp_bias", "bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings"),
)


def config_of(folder: Path, model_types: tuple[str, ...], model: str) -> dict[str, Any]:
    """config.json as a dict. Raises BadInput for a missing or damaged file and for another architecture."""
    check_texts(folder)
    config = json_object(file := folder / "config.json")
    if (got := config.get("model_type")) not in model_types:
        raise BadInput(f"{file}: model_type must be {' or '.join(model_types)} for model={model}, got {got}")
    return config


def check_texts(folder: Path) -> None:
    """BadInput for what transformers would read as text of this folder and is no file, or too large for one."""
    for file in sorted(file for pattern in TEXTS for file in folder.glob(pattern)):
        try:
            size_of(file, LARGEST)
        except OSError as error:
            raise BadInput(f"{file}: {error.strerror}") from None


def json_object(file: Path) -> dict[str, Any]:
    """Raises BadInput for a file that is missing, damaged, huge or none at all, or holds something else than names and
    values."""
    try:
        size_of(file, LARGEST)
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{file} is missing") from None
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
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


# Words: the Llama tokenizer of a checkpoint folder, refused when it does not fit the weights and the prompt.


def llama_words(
    folder: Path, config, prompt: Prompt, special: Mapping[str, int] | None = None
) -> PreTrainedTokenizerBase:
    """The folder's tokenizer; `config` is the LlamaConfig, `special` are further tokens and the ids they must have.

    The prompt's pieces are cut into tokens one by one, with BOS before the first alone: as the original does.
    """
    files = [folder / name for name in ("tokenizer.json", "tokenizer.model") if (folder / name).is_file()]
    if not files:
        raise BadInput(f"{folder / 'tokenizer.model'} is missing, and so is tokenizer.json")
    if files[0].name == "tokenizer.model" and not (find_spec("sentencepiece") and find_spec("google.protobuf")):
        # transformers would read it as something else
        raise BadInput(f"{files[0]} can only be read with two more packages: pip install sentencepiece protobuf")
    try:
        # a Llama tokenizer that does not say so puts BOS first, as the class of the original did
        words = LlamaTokenizer.from_pretrained(folder, local_files_only=True, add_bos_token=True)
    except Exception as error:  # the tokenizers package raises plain Exception for a damaged file
        raise BadInput(f"{files[0]} cannot be read: {str(error).strip().splitlines()[0][:120]}") from None
    _check(words, files[0], config, prompt, special or {})
    return words


def _check(words: PreTrainedTokenizerBase, file: Path, config, prompt: Prompt, special: Mapping[str, int]) -> None:
    vocabulary = words.get_vocab()
    if (largest := max(vocabulary.values())) >= config.vocab_size:
        raise BadInput(f"{file} has token ids up to {largest}, the model's vocab_size is {config.vocab_size}")
    for name in ("bos_token_id", "eos_token_id"):
        if getattr(words, name) != getattr(config, name):
            raise BadInput(f"{file}: {name} is {getattr(words, name)}, config.json states {getattr(config, name)}")
    for token, expected in special.items():
        if vocabulary.get(token) != expected:
            raise BadInput(f"{file}: {token} has id {vocabulary.get(token)}, config.json states {expected}")
    first, rest = words(prompt.before_video).input_ids, words(prompt.ask, add_special_tokens=False).input_ids
    if first[:1] != [words.bos_token_id] or words.bos_token_id in [*first[1:], *rest]:
        raise BadInput(f"{file} must put {words.bos_token} before a text once, got ids {first[:3]} and {rest[:3]}")
    for text, ids in ((prompt.before_video, first[1:]), (prompt.ask, rest)):
        # what it has no token for is unknown or, without a sign of it, left out
        back = cast(str, words.decode(ids))  # a list is what comes of several rows
        if back.strip(" ") != text.strip(" "):
            raise BadInput(f"{file} has no tokens for all of the prompt: {text!r} comes back as {back!r}")


# Image processor: a checkpoint's preprocessor_config.json as one of our ways to make pixels, CLIP's or SigLIP's.


RESAMPLE = {2: "bilinear", 3: "bicubic"}  # PIL's numbers


def pixels_of(folder: Path) -> Pixels:
    """Short side and centre crop where `size` is a shortest_edge, the whole frame squeezed where it is a square.

    Raises BadInput for what neither does: padding, a crop of another size than the short side, another resampling.
    """
    file, stated = _stated(folder)
    for key, usual in (("do_resize", True), ("do_rescale", True), ("do_normalize", True), ("do_pad", False)):
        if (got := stated.get(key, usual)) not in (usual, None):
            raise BadInput(f"{file}: {key} must be {usual}, got {got}: choose model.preprocess yourself")
    if abs(float(stated.get("rescale_factor") or 1 / 255) * 255 - 1) > 1e-6:
        raise BadInput(f"{file}: rescale_factor must be 1/255, got {stated['rescale_factor']}")
    if (number := stated.get("resample", 3)) not in RESAMPLE:
        raise BadInput(f"{file}: resample must be 2 (bilinear) or 3 (bicubic), got {number}")
    colours: dict[str, Any] = {
        name: tuple(stated[f"image_{name}"]) for name in ("mean", "std") if stated.get(f"image_{name}")
    }
    size, crop = stated.get("size"), stated.get("crop_size")
    size = {"shortest_edge": size} if isinstance(size, int) else dict(size or {})
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else dict(crop or {})
    if (short := size.get("shortest_edge")) is not None:
        if not stated.get("do_center_crop") or (crop.get("height"), crop.get("width")) != (short, short):
            raise BadInput(f"{file}: crop_size must be the shortest_edge {short} twice, got {crop or None}")
        return Preprocess(resize=RESAMPLE[number], size=short, **colours)
    height, width = size.get("height"), size.get("width")
    if not height or height != width or stated.get("do_center_crop"):
        raise BadInput(f"{file}: size must be a shortest_edge with a crop or a square without one, got {size}")
    return Square(resize=RESAMPLE[number], size=height, **colours)


def _stated(folder: Path) -> tuple[Path, dict[str, Any]]:
    """From the file of its own, or from the processor's, where transformers 5 writes it."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        file = folder / name
        if not file.is_file():
            continue
        stated = json_object(file)
        if isinstance(found := stated.get("image_processor", stated), dict) and "size" in found:
            return file, found
    raise BadInput(f"{folder} has no preprocessor_config.json that states a size: choose model.preprocess yourself")
