"""Every reader of a file that a user names, given what is no file -> JSON of what it said: a process of its own.

python -m tests.irregular_readers FOLDER: it may hold 1 GB more than it has, and a reader that waits ends it, the last
that it named.
"""

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import save

from experiments.run.training import steps_done
from intpv.cache.disk import DiskCache, place
from intpv.errors import BadInput
from intpv.kv_quant.calibration import read as read_calibration
from intpv.model.loading.folder import read_folder
from intpv.model.loading.lora import merge
from intpv.model.loading.shards import Shards
from intpv.shipped import EMBEDDED

from .tiny import tiny_model

SECONDS, ROOM, HUGE = 20, 10**9, 2**40  # to wait, bytes to take, bytes of a file with holes


def weights(file: Path) -> None:
    """A checkpoint's weights, whole, of 64 GB."""
    head = save({}, {"format": "pt"})[8:].rstrip().removesuffix(b"}")
    head += b',"weight":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}' % (2**34, 2**36)
    file.write_bytes(len(head).to_bytes(8, "little") + head)
    os.truncate(file, 8 + len(head) + 2**36)


def sparse(file: Path) -> None:
    file.touch()
    os.truncate(file, HUGE)


KINDS: dict[str, Callable[[Path], None]] = {
    "device": lambda file: file.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "folder": lambda file: file.mkdir(),
    "sparse": sparse,
    "weights": weights,
}


def calibration(folder: Path, lay) -> None:
    lay(folder / "mine.safetensors")
    read_calibration(str(folder / "mine.safetensors"))


def cache_entry(folder: Path, lay) -> None:
    entry = place(folder, "frames", "a" * 64)
    entry.parent.mkdir(parents=True)
    lay(entry)
    assert DiskCache(folder, 10**12).get("frames", "a" * 64) is None


def lora(name: str, folder: Path, lay) -> None:
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (folder / "adapter_model.bin").write_bytes(b"")
    (folder / name).unlink(missing_ok=True)
    lay(folder / name)
    merge(tiny_model(), str(folder))


def model(name: str, folder: Path, lay) -> None:
    shutil.copytree(EMBEDDED, folder, dirs_exist_ok=True)
    if name.startswith("pytorch") or name.endswith("index.json"):
        (folder / "model.safetensors").unlink()
    (folder / name).unlink(missing_ok=True)
    lay(folder / name)
    read_folder(folder, "LlamaForCausalLM", "float32", "cpu")


def shards(folder: Path, lay) -> None:
    lay(folder / "model-00001-of-00001.safetensors")
    Shards.find(folder).mapped()


def training(folder: Path, lay) -> None:
    lay(folder / "last.ckpt")
    steps_done(folder / "last.ckpt", {})


MODEL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
MODEL += ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")
READERS = {
    "calibration": calibration,
    "cache entry": cache_entry,
    "training": training,
    "shards": shards,
    **{
        f"lora {name}": lambda *given, name=name: lora(name, *given)
        for name in ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
    },
    **{f"model {name}": lambda *given, name=name: model(name, *given) for name in MODEL},
}


def outcome(reader: Callable, folder: Path, lay: Callable[[Path], None]) -> str:
    print(folder, file=sys.stderr, flush=True)
    signal.alarm(SECONDS)  # without a handler: what waits outside of Python is ended too
    try:
        folder.mkdir(parents=True)
        reader(folder, lay)
    except BadInput as error:
        return f"BadInput: {error}"
    except OSError as error:
        return f"OSError: {error.filename}: {error.strerror}"
    except BaseException as error:  # what a user would see as a traceback
        return f"{type(error).__name__}!"
    finally:
        signal.alarm(0)
    return "went on"


def main() -> None:
    held = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line)
    resource.setrlimit(resource.RLIMIT_AS, (held * 1024 + ROOM, resource.RLIM_INFINITY))
    root = Path(sys.argv[1])
    found = {
        f"{name} / {kind}": outcome(reader, root / name / kind, lay)
        for name, reader in READERS.items()
        for kind, lay in KINDS.items()
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
