"""Stored: a video's measures on disk, so that a cell that was interrupted ends with those of all its videos."""

import logging
import os
import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from intpv.attention_kl.intervals import VideoSums
from intpv.attention_kl.report import Measured
from intpv.attention_kl.sums import HeadSums, Listed

log = logging.getLogger(__name__)


class StoredSums:
    """`<cell>/attention_kl/`, a file per video while the cell runs; in the end one attention_kl.npz of tables."""

    def __init__(self, cell: Path) -> None:
        self._folder, self._tables = cell / "attention_kl", cell / "attention_kl.npz"

    def put(self, video: str, measured: Measured) -> None:
        """Whole or not at all; a video that is asked again replaces its own."""
        self._folder.mkdir(exist_ok=True)
        arrays: dict[str, np.ndarray] = {}
        for part, sums in measured.sums.items():
            arrays[f"layers|{part}"] = np.array(sums.layers)
            arrays |= {f"sums|{part}|{name}": value.numpy() for name, value in sums.sums.items()}
            arrays |= {f"rows|{part}|{name}": value.numpy() for name, value in sums.rows.items()}
        for part, listed in measured.listed.items():
            arrays |= {f"listed|{part}|{name}": value.numpy() for name, value in listed.values.items()}
        _write(self._file(video), arrays)

    def finish(self, videos: Iterable[str]) -> dict[str, float]:
        """The measures of these videos together as flat metrics, their tables written; empty where there are none."""
        files = [file for video in videos if (file := self._file(video)).exists()]
        sums = VideoSums()
        together = Measured.together(sums.watching(measured for file in files if (measured := _whole(file))))
        if files:
            _write(self._tables, together.tables())
        return {**together.figures(), **sums.figures()}

    def clear(self) -> None:
        """Forget the single videos: the tables hold what they add up to."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, video: str) -> Path:
        return self._folder / f"{sha256(video.encode()).hexdigest()[:32]}.npz"  # an id may hold any letters


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # no array of ours is called allow_pickle
    os.replace(temporary, path)


def _whole(path: Path) -> Measured | None:
    """None, under a warning, for what a crash or a hand has spoilt: one video's measures are not worth the cell's."""
    try:
        return _read(path)
    except Exception as error:  # foreign bytes fail in any place, in zipfile, numpy or torch
        log.warning("%s is damaged (%s): its video counts in no attention KL", path, type(error).__name__)
        return None


def _read(path: Path) -> Measured:
    found: dict[str, dict[str, dict[str, torch.Tensor]]] = {"sums": {}, "rows": {}, "listed": {}}
    layers: dict[str, tuple[int, ...]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for label, value in arrays.items():
            kind, part, *name = label.split("|", 2)
            if kind == "layers":
                layers[part] = tuple(value.tolist())
            else:
                found[kind].setdefault(part, {})[name[0]] = torch.from_numpy(value)
    sums = {part: HeadSums(layers[part], found["sums"][part], found["rows"][part]) for part in layers}
    return Measured(sums, {part: Listed(values) for part, values in found["listed"].items()})
