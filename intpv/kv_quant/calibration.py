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
from jaxtyping import Float, Int
from safetensors.torch import load, save
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.basis import PreRope
from intpv.kv_quant.origin import Origin
from intpv.regular_file import safetensors_table
from intpv.shipped import WEIGHTS

# Histogram: counts per channel in bins that are a power of two wide, so that it never has to know the range before.
#
# Bins lie at whole multiples of their width. Where new numbers reach beyond them the width is doubled, which joins bins
# two by two and moves no count across an edge: the result depends on the numbers alone, not on the order or the pieces
# they came in.


FINEST = 24  # binary places below the largest number that a bin is ever wide
SMALLEST = -100  # exponent of numbers told apart from 0


@dataclass(frozen=True)
class Histogram:
    """Bin j of a channel holds what is in [(first + j) * 2^exponent, (first + j + 1) * 2^exponent)."""

    counts: Int[Tensor, "*channels bins"]
    exponent: Int[Tensor, "*channels"]
    first: Int[Tensor, "*channels"]

    @classmethod
    def of(cls, x: Float[Tensor, "*channels n"], bins: int) -> "Histogram":
        """Of finite numbers, at least one; between bins / 2 and `bins` of the bins are used, but for constants."""
        x = x.double()
        low, high = x.aminmax(dim=-1)
        exponent, first = _place(low, high, bins)
        index = _bin(x, exponent.unsqueeze(-1)) - first.unsqueeze(-1)
        counts = torch.zeros(*low.shape, bins, dtype=torch.long, device=x.device)
        return cls(counts.scatter_add_(-1, index, torch.ones_like(index)), exponent, first)

    def merge(
        self, other: "Histogram", low: Float[Tensor, "*channels"], high: Float[Tensor, "*channels"]
    ) -> "Histogram":
        """Of the numbers of both, whose least and largest are `low` and `high`."""
        exponent, first = _place(low.double(), high.double(), self.counts.shape[-1])
        return Histogram(self._moved(exponent, first) + other._moved(exponent, first), exponent, first)

    def centres(self) -> Float[Tensor, "*channels bins"]:
        """The middle of every bin."""
        steps = torch.arange(self.counts.shape[-1], device=self.first.device) + 0.5
        return (self.first.unsqueeze(-1) + steps.double()) * _power(self.exponent).unsqueeze(-1)

    def _moved(self, exponent: Tensor, first: Tensor) -> Tensor:
        """The counts in wider bins."""
        index = self.first.unsqueeze(-1) + torch.arange(self.counts.shape[-1], device=first.device)
        index = (index >> (exponent - self.exponent).unsqueeze(-1)) - first.unsqueeze(-1)
        kept = self.counts > 0  # bins that nothing fell into may lie outside
        index = torch.where(kept, index, 0)
        return torch.zeros_like(self.counts).scatter_add_(-1, index, self.counts)


def _place(low: Tensor, high: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Exponent and first bin: the narrowest bins of which `bins` reach from low to high; wider for a wider range."""
    largest = torch.maximum(low.abs(), high.abs())
    finest = torch.where(largest > 0, largest.frexp().exponent.long(), SMALLEST).clamp_(min=SMALLEST) - FINEST
    exponent = torch.maximum(((high - low) / bins).frexp().exponent.long() - 2, finest)  # not wide enough yet, or just
    exponent = torch.where(high > low, exponent, finest)
    while (short := _bin(high, exponent) - _bin(low, exponent) >= bins).any():
        exponent = exponent + short.long()
    return exponent, _bin(low, exponent)


def _bin(x: Tensor, exponent: Tensor) -> Tensor:
    return (x * _power(-exponent)).floor().long()


def _power(exponent: Tensor) -> Tensor:
    """2^exponent, written into the bits of a float64: pow may be off in the last place, and edges would move."""
    return ((exponent + 1023) << 52).view(torch.float64)


# Statistics of channels over tokens, in memory that does not grow with them: count, range, moments and a histogram.


@dataclass(frozen=True)
class Statistics:
    """Of `count` numbers of every channel. Pieces that are merged say what the whole would."""

    count: int
    low: Float[Tensor, "*channels"]
    high: Float[Tensor, "*channels"]
    mean: Float[Tensor, "*channels"]
    variance: Float[Tensor, "*channels"]  # second central moment: mean of squared deviations
    histogram: Histogram

    @classmethod
    def of(cls, x: Float[Tensor, "*channels n"], bins: int) -> "Statistics":
        """BadInput for what is not finite: one NaN would be the range of its channel for good."""
        low, high = x.aminmax(dim=-1)
        if not (low.isfinite() & high.isfinite()).all():
            wrong = torch.stack([low, high])
            raise BadInput(f"keys and values must be finite to calibrate on, got {wrong[~wrong.isfinite()][0].item()}")
        exact = x.double()
        mean, variance = exact.mean(-1), exact.var(-1, correction=0)
        return cls(x.shape[-1], low.float(), high.float(), mean, variance, Histogram.of(x, bins))

    def merge(self, other: "Statistics") -> "Statistics":
        """Of the numbers of both; moments by Chan's update, which subtracts no large numbers from one another."""
        count = self.count + other.count
        share, apart = other.count / count, other.mean - self.mean
        low, high = torch.minimum(self.low, other.low), torch.maximum(self.high, other.high)
        within = self.variance + (other.variance - self.variance) * share
        return Statistics(
            count,
            low,
            high,
            self.mean + apart * share,
            within + apart.square() * (share * (1 - share)),
            self.histogram.merge(other.histogram, low, high),
        )


FORMAT = "intpv-calibration-1"
KINDS = ("keys", "keys_before_rope", "values")
FIGURES = ("low", "high", "mean", "variance", "counts", "exponent", "first")


@dataclass(frozen=True)
class Calibration:
    """Statistics by kind, each (L, H_kv, d), and what they were made of."""

    statistics: Mapping[str, Statistics]
    origin: Origin
    about: Mapping[str, str]  # dataset, split, clips, sinks: for the reader

    @property
    def shape(self) -> tuple[int, int, int]:
        """L, H_kv, d."""
        layers, heads, head_dim = self.statistics["values"].low.shape
        return layers, heads, head_dim

    def encode(self) -> bytes:
        """The content of its file."""
        tensors: dict[str, Tensor] = {}
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
        pre_rope = PreRope.of(angles[self.sinks :], layers[0][0].device)
        there = {keys.device: pre_rope.to(keys.device) for keys, _ in layers}
        first = self.sinks
        found = [self._layer(keys[:, first:], values[:, first:], there[keys.device]) for keys, values in layers]
        if self.layers:
            pairs = zip(self.layers, found, strict=True)
            found = [{kind: seen[kind].merge(new[kind]) for kind in KINDS} for seen, new in pairs]
        self.layers = found

    def statistics(self) -> dict[str, Statistics]:
        """All layers stacked, on the CPU."""
        return {kind: _stack([layer[kind] for layer in self.layers]) for kind in KINDS}

    def _layer(self, keys: Tensor, values: Tensor, pre_rope: PreRope) -> dict[str, Statistics]:
        each = zip(KINDS, (keys, pre_rope.into(keys), values), strict=True)
        return {kind: Statistics.of(x.float().mT, self.bins) for kind, x in each}


def read(source: object, weights: str | None = None) -> tuple[Calibration, str]:
    """The calibration of a file and the sha256 of its bytes. BadInput for what is none.

    `embedded` is the one of the shipped model that has these `weights` (`Origin.weights`), else the default model's.
    """
    if not isinstance(source, str):  # Hydra takes a file named 3 for a number
        raise BadInput(f"kv_quant.calibration must be dynamic, embedded or a file in quotes, got {source}")
    if source == "embedded":
        every = [_read_now(path) for path in sorted(WEIGHTS.glob("*/*/calibration.safetensors"))]
        return next((one for one in every if one[0].origin.weights == weights), every[0])
    try:
        return _read_now(Path(source).expanduser())
    except OSError as error:
        makes = f"; `python -m experiments.calibrate_kv out={source}` makes it" * isinstance(error, FileNotFoundError)
        raise BadInput(f"kv_quant.calibration={source}: {error.strerror}{makes}") from None


def _read_now(path: Path) -> tuple[Calibration, str]:
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(6)  # cells that differ in bits alone read one file, or those that are shipped
def _read(path: Path, _mtime: int, _size: int) -> tuple[Calibration, str]:
    try:
        about = safetensors_table(path)["__metadata__"]
        form = about.pop("format")
        if form == FORMAT:  # a checkpoint's weights, or what has no end, is not read to find that out
            content = path.read_bytes()
            tensors, origin, count = load(content), Origin(**json.loads(about.pop("origin"))), int(about.pop("count"))
            statistics = {kind: _statistics(tensors, kind, count) for kind in KINDS}
    except OSError:
        raise
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
