"""Cell: a name to read and a hash to tell cells apart, the same on every machine."""

import hashlib
import json
import os.path
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

HASH_LENGTH = 16  # hex digits
ELSEWHERE = frozenset({"hydra", "sweep", "logger", "launcher", "cache"})  # groups that say where a cell runs, not what
MACHINE = frozenset({"accelerator", "devices", "num_nodes", "strategy", "enable_progress_bar"})  # keys of `trainer`
SPEED = frozenset({"threads", "num_workers", "timeout_s"})  # keys of any group
PLACE = re.compile(r"_path$|(^|_)(dir|root|folder|file)s?$")


def config_hash(config: Mapping[str, Any]) -> str:
    """Hash of everything in a plain, resolved config that can change a result.

    Of a `_target_` inside intpv its class or function counts, not where it lies: moving a file renames no cell.
    Left out: logger, launcher, cache, hydra and the name of the sweep; devices and threads; keys that name a place
    (*_dir, root, ...). A key `path`, and any other absolute path, counts by its last part alone: a checkpoint may move,
    but two checkpoints are two cells.
    """
    text = json.dumps(portable(config), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def portable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a plain config that `config_hash` is made from, the same on every machine."""
    kept = {key: value for key, value in config.items() if key not in ELSEWHERE}
    if isinstance(kept.get("trainer"), Mapping):
        kept["trainer"] = {key: value for key, value in kept["trainer"].items() if key not in MACHINE}
    return _portable_keys(kept)


def counts(key: str) -> bool:
    """Whether a dotted key is part of `config_hash`."""
    first, *rest = key.split(".")
    if first in ELSEWHERE or (first == "trainer" and rest and rest[0] in MACHINE):
        return False
    return all(map(_key_counts, (first, *rest)))


@cache  # a config has few keys, a sweep thousands of configs
def _key_counts(key: str) -> bool:
    return key not in SPEED and not PLACE.search(key)


def cell_name(parts: Mapping[str, object]) -> str:
    """`strided-yarn-f32-int2-0123abcd` from {rearranger: strided, rope: yarn, frames: 32, kv: int2, hash: ...}.

    In the order given: words as they are, numbers after the first letter of their key, None left out, and of a
    `hash` the first 8 digits.
    """
    words = []
    for key, value in parts.items():
        if value is None:
            continue
        if key == "hash":
            words.append(str(value)[:8])
        elif isinstance(value, int | float):
            words.append(f"{key[0]}{value}")
        else:
            words.append(re.sub(r"[^A-Za-z0-9._]+", "_", str(value)))
    return "-".join(words)


def _portable(value: object) -> Any:
    if isinstance(value, str):
        named = os.path.expanduser(value) if value.startswith("~") else value
        return _last(value) if os.path.isabs(named) else value
    if isinstance(value, Mapping):
        return _portable_keys(value)
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value]
    return value


def _portable_keys(table: Mapping) -> dict[str, object]:
    kept = {name: item for key, item in table.items() if _key_counts(name := str(key))}
    return {key: SPECIAL.get(key, _portable)(item) for key, item in kept.items()}


def _class(target: object) -> object:
    """`intpv.rope_strategy.yarn.YarnScaling` -> YarnScaling, `intpv.model.hf_llava.HFLlava.load` -> HFLlava.load,
    `intpv.model.random.load` -> random.load; whatever is not intpv's as it is."""
    if not isinstance(target, str) or not target.startswith("intpv."):
        return target
    parts = target.split(".")
    first = next((place for place, part in enumerate(parts) if part[:1].isupper()), len(parts) - 2)
    return ".".join(parts[first:])


def _last(path: object) -> object:
    return os.path.basename(path.rstrip("/")) if isinstance(path, str) else path


SPECIAL = {"path": _last, "_target_": _class}  # keys whose value counts in part
