"""Place: where a checkpoint comes from, a folder or the Hugging Face hub; and where its weights go."""

import logging
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import torch
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from torch import Tensor, nn
from transformers import PreTrainedModel

from intpv.errors import BadInput
from intpv.gpu_nodes import gpu_nodes

READ = ("*.json", "*.safetensors", "*.bin", "tokenizer.model")  # of a repository; never *.py
log = logging.getLogger(__name__)
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

    Over several the decoder's layers are spread over them.
    """
    found = torch.cuda.device_count()
    if device == "auto":
        warn_of_unseen_gpus()
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


def warn_of_unseen_gpus(nodes: Sequence[str] | None = None) -> None:
    """Where there are GPUs, `nodes` of the operating system, the CPU is not what `auto` is meant to find."""
    nodes = gpu_nodes() if nodes is None else nodes
    if nodes and not torch.cuda.is_available() and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        log.warning(
            "running on the CPU: %s is here, but torch %s finds no GPU: its build or the driver is not for it",
            nodes[0],
            torch.__version__,
        )


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# Spread: a decoder's layers over several devices, in runs of about equal bytes, for a model too large for one.
#
# Only layers go elsewhere: whatever is fed in and read out (tower, projector, embeddings, rotation, head) is on the
# first device. What a layer is given comes to it as it starts; its keys, values and packed prefix stay where it is.


def spread(module: nn.Module, decoder: PreTrainedModel, devices: Sequence[torch.device]) -> None:
    """Move `module`, of which `decoder` is a part, to `devices`; on one it is moved whole."""
    if len(devices) == 1:
        module.to(devices[0])
        return
    layers = cast(nn.ModuleList, decoder.layers)  # torch's hint is whatever a module may hold
    decoder.layers = nn.ModuleList()  # out of the way of all that moves to the first device
    rest = _bytes(module)
    module.to(devices[0])
    decoder.layers = layers
    for layer, device in zip(layers, shared_out(rest, [_bytes(layer) for layer in layers], devices), strict=True):
        layer.to(device)
        layer.register_forward_pre_hook(partial(_arrive, device), with_kwargs=True)
    layers[-1].register_forward_hook(partial(_return, devices[0]))


def shared_out(rest: int, layers: Sequence[int], devices: Sequence[torch.device]) -> list[torch.device]:
    """The device of each layer, given bytes: the first device holds `rest` besides. Raises BadInput for idle ones."""
    share, before, places = (rest + sum(layers)) / len(devices), rest, []
    for size in layers:
        places.append(devices[min(int((before + size / 2) / share), len(devices) - 1)])
        before += size
    if idle := [str(device) for device in devices[1:] if device not in places]:
        raise BadInput(f"model.device names {len(devices)} devices, {len(layers)} layers leave {', '.join(idle)} idle")
    return places


def _arrive(device: torch.device, layer: nn.Module, given: tuple, named: dict) -> tuple[tuple, dict]:
    return _moved(given, device), {name: _moved(value, device) for name, value in named.items()}


def _return(device: torch.device, layer: nn.Module, given: tuple, result: Tensor | tuple) -> Tensor | tuple:
    return _moved(result, device)


def _moved(value, device: torch.device):
    """Tensors, and tuples of them; a cache stays, it holds every layer's own."""
    if isinstance(value, Tensor):
        return value.to(device)
    return tuple(_moved(part, device) for part in value) if isinstance(value, tuple) else value


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
