"""Merging: the argument `lora` that every loader takes, and what a cell counts it by."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from intpv.cache.file_hash import file_hash
from intpv.model.lora import PROJECTOR, WEIGHTS, incomplete, merge
from intpv.model.model import Model


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
