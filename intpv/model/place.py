"""Place: where a checkpoint comes from, a folder or the Hugging Face hub; and where its weights go."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError

from intpv.errors import BadInput

READ = ("*.json", "*.safetensors", "*.bin", "tokenizer.model")  # of a repository; never *.py
DTYPES = ("bfloat16", "float16", "float32")


def find(path: str, key: str, repository: str) -> Path:
    """The folder of a checkpoint; a hub id is looked up in the cache and, unless HF_HUB_OFFLINE=1, downloaded.

    `key` is what the user writes, `repository` what the path is meant to hold. Raises BadInput with the command that
    downloads it.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", path):
        raise BadInput(f"{key}={path} is no folder: hf download {repository} --local-dir {path}")
    offline = constants.HF_HUB_OFFLINE
    try:
        return Path(snapshot_download(path, allow_patterns=list(READ), local_files_only=offline))
    except (OSError, ValueError, HfHubHTTPError) as error:
        why = "is not in the Hugging Face cache and HF_HUB_OFFLINE=1" if offline else f"failed: {_first(error)}"
        advice = f"hf download {path} --local-dir FOLDER, then {key}=FOLDER"
        raise BadInput(f"{key}={path} is no folder here, and as a repository {why}: {advice}") from None


def precision(dtype: str) -> torch.dtype:
    """The torch type of that name."""
    if dtype not in DTYPES:
        raise BadInput(f"model.dtype must be one of {', '.join(DTYPES)}, got {dtype}")
    return getattr(torch, dtype)


def devices_of(device: str | Sequence[str] | int | None) -> tuple[torch.device, ...]:
    """`auto` is the first GPU, or the CPU where there is none; `balanced` every visible GPU; a list is what it names.

    Over several the decoder's layers are spread (spread.py).
    """
    found = torch.cuda.device_count()
    if device == "auto":
        return (torch.device("cuda" if found else "cpu"),)
    if device == "balanced":
        device = [f"cuda:{index}" for index in range(found)] or ["cuda"]
    names = [str(device)] if device is None or isinstance(device, str | int) else list(device)
    try:
        places = tuple(torch.device(name) for name in names)
    except RuntimeError:
        places = ()
    if not places or len(set(places)) < len(places):
        raise BadInput(f"model.device must be auto, balanced, cpu, cuda or a list like [cuda:0,cuda:1], got {device}")
    for place in places:
        if place.type == "cuda" and (place.index or 0) >= found:
            raise BadInput(f"model.device={place}, but torch {torch.__version__} finds {found or 'no'} GPU here")
    return places


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
