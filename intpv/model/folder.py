"""Folder: a checkpoint in transformers' own format, read by transformers, with everything that is wrong said first."""

import json
import logging
from pathlib import Path

import torch
import transformers
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from intpv.errors import BadInput
from intpv.model.place import device_of, find, precision
from intpv.model.shards import Shards

log = logging.getLogger(__name__)
SHOWN = 4  # names in a message


def read(
    path: str, architecture: str, repository: str, dtype: str, device: str
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Frozen model and tokenizer. transformers builds it without memory and reads it shard by shard.

    Raises BadInput for another architecture than the one asked for, a shard that is missing or cut short, tensors that
    are missing or of another shape, and numbers that are not finite. Code in the folder is never run.
    """
    folder = find(path, "model.path", repository)
    _check_architecture(folder, architecture)
    shards = Shards.find(folder)
    llm, found = getattr(transformers, architecture).from_pretrained(
        folder,
        dtype=precision(dtype),
        local_files_only=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,  # they are refused below, by name
        output_loading_info=True,
    )
    missing, other = sorted(found["missing_keys"]), sorted(str(key) for key in found["mismatched_keys"])
    for kind, keys in (("lacks", missing), ("has in another shape", other)):
        if keys:
            more = f" and {len(keys) - SHOWN} more" * (len(keys) > SHOWN)
            raise BadInput(f"{folder} {kind} {len(keys)} tensors: {', '.join(keys[:SHOWN])}{more}")
    if unused := sorted(found["unexpected_keys"]):
        log.warning("%s: %d tensors have no place in %s, first %s", folder, len(unused), architecture, unused[0])
    _check_finite(llm, shards)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    _check_tokenizer(llm, tokenizer, folder)
    return llm.eval().requires_grad_(False).to(device_of(device)), tokenizer


def _check_architecture(folder: Path, architecture: str) -> None:
    file = folder / "config.json"
    if not file.is_file():
        raise BadInput(f"model.path={folder} is no checkpoint of transformers: config.json is missing")
    stated = json.loads(file.read_text()).get("architectures") or ["none"]
    if architecture not in stated:
        raise BadInput(f"{file}: architectures must be {architecture}, got {', '.join(stated)}")


def _check_finite(llm: PreTrainedModel, shards: Shards) -> None:
    for name, weight in llm.state_dict().items():
        if weight.is_floating_point() and not all(x.isfinite() for x in torch.aminmax(weight)):
            raise BadInput(f"{shards.folder}: {name} holds nan or inf as {weight.dtype}")


def _check_tokenizer(llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """The token that stands for the video must be the one the model was trained with."""
    config = llm.config
    stated = next((getattr(config, n) for n in ("video_token_id", "video_token_index") if hasattr(config, n)), None)
    rows = llm.get_input_embeddings().num_embeddings
    if stated is not None and stated not in tokenizer.get_vocab().values():
        raise BadInput(f"{folder}: the tokenizer has no token {stated}, which config.json says stands for the video")
    if len(tokenizer) > rows:
        raise BadInput(f"{folder}: the tokenizer has {len(tokenizer)} tokens, the model embeds {rows}")
