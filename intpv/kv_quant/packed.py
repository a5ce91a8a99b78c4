"""The packed prefix: what a watched video leaves behind, with its bytes accounted for one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.static_grid import Drift
from intpv.kv_quant.stored import Codes, Dense

# Run: consecutive tokens of one layer whose keys are all stored alike, and whose values are.
#
# A run hands its tokens out as dense pieces of at most PIECE tokens, so that reading a long prefix needs little memory
# beside it.


PIECE = 1024  # tokens
Block = tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]


@dataclass(frozen=True)
class Run:
    """Keys and values, each in full precision or as codes."""

    keys: Dense | Codes
    values: Dense | Codes

    @property
    def length(self) -> int:
        return self.keys.length

    def blocks(self) -> Iterator[Block]:
        """In the order of the tokens: views of what is dense, float32 of what is codes, one piece at a time."""
        for start in range(0, self.length, PIECE):
            yield self.keys.piece(start, start + PIECE), self.values.piece(start, start + PIECE)

    def then(self, later: "Run") -> "Run":
        """With the tokens behind these, stored alike."""
        return Run(_joined(self.keys, later.keys), _joined(self.values, later.values))

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """The stored tensors under their names in the ledger."""
        keys, values = self.keys.parts(), self.values.parts()
        return {name: keys.get(name, ()) + values.get(name, ()) for name in {**keys, **values}}


def _joined(side: Dense | Codes, later: Dense | Codes) -> Dense | Codes:
    if isinstance(side, Dense) and isinstance(later, Dense):
        return side.then(later)
    assert isinstance(side, Codes)  # stored alike
    assert isinstance(later, Codes)
    return side.then(later)


Layers = Sequence[tuple[Float[Tensor, "H_kv S d"], Float[Tensor, "H_kv S d"]]]  # keys as rotated, and values

DECODES = ("auto", "eager", "compiled", "triton")


def check_decode(name: str) -> None:
    """BadInput unless it is one of DECODES; that the machine can run it is for attention to see."""
    if name not in DECODES:
        raise BadInput(f"kv_quant.decode must be one of {', '.join(DECODES)}, got {name}")


@dataclass(frozen=True)
class PackedLayer:
    """One layer's prefix: its runs in the order of the tokens."""

    runs: tuple[Run, ...]
    decode: str = "auto"  # what attention is asked to read it with

    @property
    def length(self) -> int:
        return sum(run.length for run in self.runs)

    def blocks(self) -> Iterator[Block]:
        """Dense pieces (H_kv, t, d) in the order of the prefix; stored pieces are views, dequantised ones float32."""
        for run in self.runs:
            yield from run.blocks()

    def before(self, stop: int) -> "PackedLayer":
        """Its first `stop` tokens, at least one: views, which every path reads as it reads the whole."""
        kept, start = [], 0
        for run in self.runs:
            if start < stop:
                count = stop - start
                kept.append(run if run.length <= count else Run(run.keys.before(count), run.values.before(count)))
            start += run.length
        return replace(self, runs=tuple(kept))

    def pieces(self, start: int) -> Iterator[tuple[int, Block]]:
        """As `blocks`, from token `start` on; each with the token that it begins at."""
        begin = 0
        for run in self.runs:
            for first in range(max(start - begin, 0), run.length, PIECE):
                last = first + PIECE
                yield begin + first, (run.keys.piece(first, last), run.values.piece(first, last))
            begin += run.length


@dataclass(frozen=True, kw_only=True)
class PackedPrefix:
    """All layers of one prefix. Asking reads it and changes nothing."""

    layers: list[PackedLayer]
    length: int  # S, tokens; fewer where layers keep a part of them
    quantised: int  # elements of them that are stored as codes
    elements: int  # 2 * L * H_kv * S * d
    dtype: torch.dtype  # of the model: what the prefix would be kept in unquantised
    drift: Drift | None = None  # from the ranges it is quantised with, where those were calibrated
    # which tokens of the prefix each layer keeps, equally many; None: all. On the host, for measures: attention reads
    # what is kept as it reads any prefix
    kept: Bool[Tensor, "L S"] | None = None

    @property
    def quantised_fraction(self) -> float:
        return self.quantised / self.elements

    @property
    def full_precision_bytes(self) -> int:
        """Of the whole prefix, also what no layer keeps."""
        whole = self.length if self.kept is None else self.kept.shape[1]
        return self.elements // self.length * whole * self.dtype.itemsize

    @property
    def bits_per_element(self) -> float:
        """All bytes over all elements: scales, zeros and exempt tokens included."""
        return 8 * self.ledger()["total"] / self.elements

    def ledger(self) -> dict[str, int]:
        """Bytes by what they are for, the padding around them, and the total that is really held.

        codes, scales and zeros of what is quantised; angles, the table that rotates keys stored before RoPE, once for
        all layers of a device; exempt, all in full precision. The total is the sum over unique storages; padding is
        what of it no tensor accounts for.
        """
        counts = dict.fromkeys(("codes", "scales", "zeros", "angles", "exempt"), 0)
        storages: dict[int, int] = {}
        for name, tensor in self._tensors():
            counts[name] += tensor.nbytes
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        total = sum(storages.values())
        return {**counts, "padding": total - sum(counts.values()), "total": total}

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Every stored tensor once, with its name in the ledger."""
        parts = [run.parts() for layer in self.layers for run in layer.runs]
        named = [(name, tensor) for part in parts for name, tensors in part.items() for tensor in tensors]
        # by identity: two empty tensors, or two views, may share an address
        yield from {id(tensor): (name, tensor) for name, tensor in named}.values()
