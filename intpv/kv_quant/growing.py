"""Growing: a prefix that is packed while it is read, so that later tokens attend to the codes of earlier ones.

Codes, groups and bytes are laid out as those of a prefix packed at once: the tokens of a group that a pass cuts wait in
full precision for the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.kv_quant.packed import PackedLayer, PackedPrefix, Run
from intpv.kv_quant.side import Zone
from intpv.kv_quant.stored import Dense


@dataclass(eq=False)
class GrowingLayer:
    """What a layer has of its tokens so far, in their order."""

    keys: Float[Tensor, "H_kv n d"] | None = None  # not settled yet
    values: Float[Tensor, "H_kv n d"] | None = None
    start: Run | None = None  # in full precision, before the zone
    codes: Run | None = None
    stop: int = 0  # tokens in both

    def wait(self, keys: Tensor, values: Tensor) -> None:
        """Further tokens."""
        if self.keys is None or self.values is None:
            self.keys, self.values = keys, values
        else:
            self.keys, self.values = torch.cat([self.keys, keys], 1), torch.cat([self.values, values], 1)

    @property
    def waiting(self) -> int:
        return 0 if self.keys is None else self.keys.shape[1]

    def take(self, tokens: int) -> tuple[Tensor, Tensor]:
        """The first of those that wait."""
        assert self.keys is not None  # something came before
        assert self.values is not None
        taken = self.keys[:, :tokens].clone(), self.values[:, :tokens].clone()
        # copies: a slice would keep the whole alive
        self.keys, self.values = self.keys[:, tokens:].clone(), self.values[:, tokens:].clone()
        self.stop += tokens
        return taken

    def packed(self, decode: str) -> PackedLayer:
        """As attention reads it now."""
        assert self.keys is not None
        assert self.values is not None
        runs = (self.start, self.codes, Run(Dense(self.keys), Dense(self.values)))
        return PackedLayer(tuple(run for run in runs if run is not None and run.length), decode)


@dataclass(eq=False)
class Growing:
    """One prefix; attention reads `layers` between the passes."""

    length: int  # S, tokens
    zone: Zone  # of these, that become codes; empty where all stay in full precision
    step: int  # tokens, whole groups
    code: Callable[[int, Tensor, Tensor, int], Run]  # layer, keys, values, and which token of the zone is their first
    finish: Callable[[list[PackedLayer], int, torch.dtype], PackedPrefix]  # layers, elements, dtype
    decode: str
    layers: list[PackedLayer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._growing: list[GrowingLayer] = []
        self._elements, self._dtype = 0, torch.get_default_dtype()

    def taking(self) -> Callable[[Tensor, Tensor], None]:
        """Takes one pass' keys and values, (H_kv, n, d) each, layer after layer."""
        indices = count()
        return lambda keys, values: self._add(next(indices), keys, values)

    def done(self) -> PackedPrefix:
        """Once all tokens are there."""
        return self.finish(self.layers, self._elements, self._dtype)

    def _add(self, index: int, keys: Tensor, values: Tensor) -> None:
        if index == len(self._growing):
            self._growing.append(GrowingLayer())
            self.layers.append(PackedLayer(()))
        self._elements, self._dtype = self._elements + 2 * keys.numel(), keys.dtype
        layer = self._growing[index]
        layer.wait(keys, values)
        self._settle(index, layer)
        self.layers[index] = layer.packed(self.decode)

    def _settle(self, index: int, layer: GrowingLayer) -> None:
        """What waits becomes what it stays, as far as whole groups, or the zone, reach."""
        read = layer.stop + layer.waiting
        if self.zone.tokens and layer.stop < self.zone.start <= read:
            layer.start = Run(*map(Dense, layer.take(self.zone.start)))
        if layer.stop < self.zone.start:
            return
        ready = min(read, self.zone.stop) - layer.stop
        if read < self.zone.stop:
            ready -= ready % self.step
        if ready > 0:
            codes = self.code(index, *layer.take(ready), layer.stop - ready - self.zone.start)
            layer.codes = codes if layer.codes is None else layer.codes.then(codes)
