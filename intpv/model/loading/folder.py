"""Folder: a checkpoint in transformers' own format, read by transformers, with everything that is wrong said first."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import nn
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from intpv.errors import BadInput
from intpv.model.loading.config_json import check_texts, json_object
from intpv.model.loading.generation import generation_of
from intpv.model.loading.hub import devices_of, find, precision, spread
from intpv.model.loading.shards import Shards

log = logging.getLogger(__name__)
SHOWN, LONGEST = 4, 160  # names in a message, characters of another's message
FLOATS = ("F64", "F32", "F16", "BF16")
COUNTS = ("position_ids", "num_batches_tracked")  # tensors that count
WORDS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def read(
    path: str, architecture: str, repository: str, dtype: str, device: str | Sequence[str]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Frozen model and tokenizer of a folder or a repository, see `read_folder`."""
    return read_folder(find(path, "model.path", repository), architecture, dtype, device)


def read_folder(
    folder: Path, architecture: str, dtype: str, device: str | Sequence[str]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Frozen model and tokenizer. transformers builds it without memory, out of the files that are checked, no others.

    Raises BadInput for another architecture than the one asked for, a shard that is missing or cut short, tensors that
    are missing, quantised or of another shape, numbers that are not finite, and a tokenizer that is damaged or not the
    model's. Code in the folder is never run.
    """
    kind, devices = precision(dtype), devices_of(device)
    _check_config(folder, architecture)
    shards = Shards.find(folder)
    _check_kinds(shards)
    llm, found = _loaded(getattr(transformers, architecture), folder, shards, kind)
    shapes = {f"{key} {tuple(got)} instead of {tuple(needed)}" for key, got, needed in found["mismatched_keys"]}
    for fault, keys in (("lacks", found["missing_keys"]), ("has in another shape", shapes)):
        if keys:
            more = f" and {len(keys) - SHOWN} more" * (len(keys) > SHOWN)
            raise BadInput(f"{folder} {fault} {len(keys)} tensors: {', '.join(sorted(keys)[:SHOWN])}{more}")
    if unused := sorted(found["unexpected_keys"]):
        log.warning("%s: %d tensors have no place in %s, first %s", folder, len(unused), architecture, unused[0])
    _check_finite(llm, shards)
    tokenizer = _tokenizer(folder)
    _check_tokenizer(llm, tokenizer, folder)
    spread(llm.eval().requires_grad_(False), llm.get_decoder(), devices)
    _own(llm)
    return llm, tokenizer


def _check_config(folder: Path, architecture: str) -> None:
    check_texts(folder)
    config = json_object(file := folder / "config.json")
    stated = config.get("architectures") or ["none"]
    if architecture not in stated:
        raise BadInput(f"{file}: architectures must be {architecture}, got {', '.join(stated)}")
    if quantised := config.get("quantization_config"):
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
        raise BadInput(f"{file}: quantization_config must not be there, got {method}: quantised weights are not read")
    # each makes transformers read, or read besides, what is not checked here
    if named := config.get("transformers_weights"):
        raise BadInput(f"{file}: transformers_weights must not be there, got {named}: name it model.safetensors")
    if (adapter := folder / "adapter_config.json").exists():
        raise BadInput(f"{adapter} must not lie beside a whole model: in a folder of its own it is model.lora=FOLDER")
    if part := next(folder.glob("shard-*-model-*-of-*.safetensors"), None):
        raise BadInput(f"{part} is of a distributed checkpoint: save the model with save_pretrained")


def _check_kinds(shards: Shards) -> None:
    """transformers would take whole numbers for weights as they are, without the scales that they need."""
    for key, entry in shards.entries.items():
        if entry.dtype not in FLOATS and not key.endswith(COUNTS):
            raise BadInput(f"{entry.file}: {key} must be float, got {entry.dtype}: quantised weights are not read")


def _loaded(
    kind: type[PreTrainedModel], folder: Path, shards: Shards, dtype: torch.dtype
) -> tuple[PreTrainedModel, dict]:
    """And what transformers found wrong, which it reports in a table of its own.

    It is given tensors, mapped and not yet read, instead of a folder in which it would look for files by itself.
    """
    talk = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        config = cast(type[PreTrainedConfig], kind.config_class)  # None in the class that all others are derived from
        loaded: Any = kind.from_pretrained(  # two things with output_loading_info, which its hint leaves out
            None,
            config=config.from_pretrained(folder, local_files_only=True),
            state_dict=shards.mapped(),
            generation_config=generation_of(folder),
            dtype=dtype,
            ignore_mismatched_sizes=True,  # they are refused by name, all together
            output_loading_info=True,
        )
        llm, found = loaded
        llm.name_or_path = llm.config.name_or_path = str(folder)  # as a folder would have been noted
        return llm, found
    except (torch.OutOfMemoryError, BadInput):
        raise
    except Exception as error:  # transformers' own checks raise several types
        raise BadInput(f"{folder}: {type(error).__name__}: {' '.join(str(error).split())[:LONGEST]}") from error
    finally:
        transformers.logging.set_verbosity(talk)


def _own(llm: PreTrainedModel) -> None:
    """Weights that needed no cast are still mapped from their file, and would change with it."""
    for weight in (*llm.parameters(), *llm.buffers()):
        if weight.device.type == "cpu":
            weight.data = weight.data.clone()


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    if not any((folder / name).is_file() for name in WORDS):
        raise BadInput(f"{folder} holds no tokenizer: none of {', '.join(WORDS)}")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers package raises plain Exception for a damaged file
        said = " ".join(str(error).split())[:LONGEST]
        raise BadInput(f"{folder}: the tokenizer cannot be read ({type(error).__name__}: {said})") from error


def _check_finite(llm: PreTrainedModel, shards: Shards) -> None:
    for name, weight in llm.state_dict().items():
        if weight.is_floating_point() and not all(x.isfinite() for x in torch.aminmax(weight)):
            raise BadInput(f"{shards.folder}: {name} holds nan or inf as {weight.dtype}")


def _check_tokenizer(llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """The token that stands for the video must be the one the model was trained with."""
    config = llm.config
    stated = next((getattr(config, n) for n in ("video_token_id", "video_token_index") if hasattr(config, n)), None)
    rows = cast(nn.Embedding, llm.get_input_embeddings()).num_embeddings
    if stated is not None and stated not in tokenizer.get_vocab().values():
        raise BadInput(f"{folder}: the tokenizer has no token {stated}, which config.json says stands for the video")
    if len(tokenizer) > rows:
        raise BadInput(f"{folder}: the tokenizer has {len(tokenizer)} tokens, the model embeds {rows}")
