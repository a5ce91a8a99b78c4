"""Stored: a video's sums on disk, so that a cell that was interrupted ends with those of all its videos."""

import os
import shutil
from collections.abc import Iterable
from functools import reduce
from hashlib import sha256
from operator import add
from pathlib import Path

import numpy as np
import torch

from intpv.attention_kl.head_sums import HeadSums
from intpv.attention_kl.measured import Measured

PARTS = ("local", "end_to_end", "local_floor", "end_to_end_floor")


class StoredSums:
    """`<cell>/attention_kl/`, a file per video while the cell runs; in the end one attention_kl.npz of tables."""

    def __init__(self, cell: Path) -> None:
        self._folder, self._tables = cell / "attention_kl", cell / "attention_kl.npz"

    def put(self, video: str, measured: Measured) -> None:
        """Whole or not at all; a video that is asked again replaces its own."""
        self._folder.mkdir(exist_ok=True)
        arrays: dict[str, np.ndarray] = {}
        for part in PARTS:
            sums: HeadSums = getattr(measured, part)
            arrays[f"{part}|layers"] = np.array(sums.layers)
            arrays |= {f"{part}|sums|{name}": value.numpy() for name, value in sums.sums.items()}
            arrays |= {f"{part}|rows|{name}": value.numpy() for name, value in sums.rows.items()}
        _write(self._file(video), arrays)

    def finish(self, videos: Iterable[str]) -> dict[str, float]:
        """The flat metrics over these videos, and their tables written; empty where nothing was measured."""
        found = [_read(self._file(video)) for video in videos if self._file(video).exists()]
        if not found:
            return {}
        total = reduce(add, found)
        _write(self._tables, total.tables())
        return total.figures()

    def clear(self) -> None:
        """Forget the single videos: the tables hold what they add up to."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, video: str) -> Path:
        return self._folder / f"{sha256(video.encode()).hexdigest()[:32]}.npz"  # an id may hold any letters


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(temporary, path)


def _read(path: Path) -> Measured:
    with np.load(path, allow_pickle=False) as arrays:
        return Measured(**{part: _sums(arrays, part) for part in PARTS})


def _sums(arrays, part: str) -> HeadSums:
    sums, rows = (
        {name.split("|", 2)[2]: torch.from_numpy(arrays[name]) for name in arrays if name.startswith(f"{part}|{kind}|")}
        for kind in ("sums", "rows")
    )
    return HeadSums(tuple(arrays[f"{part}|layers"].tolist()), sums, rows)
