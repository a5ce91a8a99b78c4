"""Calibration: statistics of keys and values over clips that no test has, and the file that they are kept in.

safetensors: a tensor (L, H_kv, d) per kind and figure, the histogram's counts (L, H_kv, d, bins); metadata says of
what. The kinds are keys as RoPE left them, keys before it, and values.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.histogram import Histogram
from intpv.kv_quant.origin import Origin
from intpv.kv_quant.pre_rope import PreRope
from intpv.kv_quant.statistics import Statistics

FORMAT = "intpv-calibration-1"
KINDS = ("keys", "keys_before_rope", "values")
FIGURES = ("low", "high", "mean", "variance", "counts", "exponent", "first")
EMBEDDED = Path(__file__).parents[1] / "weights" / "mini" / "calibration.safetensors"


@dataclass(frozen=True)
class Calibration:
    """Statistics by kind, each (L, H_kv, d), and what they were made of."""

    statistics: Mapping[str, Statistics]
    origin: Origin
    about: Mapping[str, str]  # dataset, split, clips, sinks: for the reader

    @property
    def shape(self) -> tuple[int, int, int]:
        """L, H_kv, d."""
        return tuple(self.statistics["values"].low.shape)

    def encode(self) -> bytes:
        """The content of its file."""
        tensors = {}
        for kind, one in self.statistics.items():
            histogram = one.histogram
            counts = histogram.counts.to(_narrowest(one.count))
            tensors |= {f"{kind}.{name}": getattr(one, name) for name in FIGURES[:4]}
            tensors |= {f"{kind}.counts": counts, f"{kind}.exponent": histogram.exponent.to(torch.int16)}
            tensors |= {f"{kind}.first": histogram.first.int()}
        count = str(self.statistics["values"].count)
        metadata = {"format": FORMAT, "count": count, "origin": json.dumps(asdict(self.origin)), **self.about}
        return save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, metadata)


class Stream:
    """Statistics of one prefix after another; holds no more after many than after one."""

    def __init__(self, bins: int, sinks: int):
        self.bins, self.sinks = bins, sinks
        self.layers: list[dict[str, Statistics]] = []

    def add(self, layers: Sequence[tuple[Tensor, Tensor]], angles: Float[Tensor, "S half"]) -> None:
        """Keys as rotated and values (H_kv, S, d) of every layer; the first `sinks` tokens do not count."""
        turned = PreRope.of(angles[self.sinks :], layers[0][0].device)
        there = {keys.device: turned.to(keys.device) for keys, _ in layers}
        found = [self._layer(*(x[:, self.sinks :] for x in pair), there[pair[0].device]) for pair in layers]
        if self.layers:
            pairs = zip(self.layers, found, strict=True)
            found = [{kind: seen[kind].merge(new[kind]) for kind in KINDS} for seen, new in pairs]
        self.layers = found

    def statistics(self) -> dict[str, Statistics]:
        """All layers stacked, on the CPU."""
        return {kind: _stack([layer[kind] for layer in self.layers]) for kind in KINDS}

    def _layer(self, keys: Tensor, values: Tensor, turned: PreRope) -> dict[str, Statistics]:
        each = zip(KINDS, (keys, turned.into(keys), values), strict=True)
        return {kind: Statistics.of(x.float().mT, self.bins) for kind, x in each}


def read(source: object) -> tuple[Calibration, str]:
    """The calibration of a file, or of the embedded one, and the sha256 of its bytes. BadInput for what is none."""
    if not isinstance(source, str):  # Hydra takes a file named 3 for a number
        raise BadInput(f"kv_quant.calibration must be dynamic, embedded or a file in quotes, got {source}")
    path = EMBEDDED if source == "embedded" else Path(source).expanduser()
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        makes = f"; `python -m experiments.calibrate_kv out={source}` makes it" * isinstance(error, FileNotFoundError)
        raise BadInput(f"kv_quant.calibration={source}: {error.strerror}{makes}") from None


@lru_cache(2)  # cells that differ in bits alone read one file
def _read(path: Path, _mtime: int, _size: int) -> tuple[Calibration, str]:
    content = path.read_bytes()
    try:
        length = int.from_bytes(content[:8], "little")
        about = json.loads(content[8 : 8 + length])["__metadata__"]
        form = about.pop("format")
        if form == FORMAT:
            tensors, origin, count = load(content), Origin(**json.loads(about.pop("origin"))), int(about.pop("count"))
            statistics = {kind: _statistics(tensors, kind, count) for kind in KINDS}
    except Exception as error:  # foreign bytes fail in any place, in json, safetensors or torch
        reason = " ".join(str(error).split())[:120]
        raise BadInput(
            f"kv_quant.calibration={path} is no whole file of calibrate_kv ({type(error).__name__}: {reason})"
        ) from None
    if form != FORMAT:
        raise BadInput(f"kv_quant.calibration={path} must be of format {FORMAT}, got {form}")
    return Calibration(statistics, origin, about), hashlib.sha256(content).hexdigest()


def _statistics(tensors: Mapping[str, Tensor], kind: str, count: int) -> Statistics:
    low, high, mean, variance, counts, exponent, first = (tensors[f"{kind}.{name}"] for name in FIGURES)
    return Statistics(count, low, high, mean, variance, Histogram(counts.long(), exponent.long(), first.long()))


def _stack(layers: Sequence[Statistics]) -> Statistics:
    figures = {name: torch.stack([getattr(one, name).cpu() for one in layers]) for name in FIGURES[:4]}
    histogram = (torch.stack([getattr(one.histogram, name).cpu() for one in layers]) for name in FIGURES[4:])
    return Statistics(layers[0].count, **figures, histogram=Histogram(*histogram))


def _narrowest(count: int) -> torch.dtype:
    return next(kind for kind in (torch.int16, torch.int32, torch.int64) if count <= torch.iinfo(kind).max)
