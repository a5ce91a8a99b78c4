"""Measured: the attention KL of one video or, added up, of many; as flat metrics and as tables for the run's npz."""

from dataclasses import dataclass

from numpy.typing import NDArray

from intpv.attention_kl.figures import figures, statistics, worst_heads
from intpv.attention_kl.head_sums import HeadSums


@dataclass(frozen=True)
class Measured:
    """Sums of both passes, and of the same passes with the reference against itself: what is no larger is rounding."""

    local: HeadSums
    end_to_end: HeadSums
    local_floor: HeadSums
    end_to_end_floor: HeadSums

    def __add__(self, other: "Measured") -> "Measured":
        mine, theirs = vars(self), vars(other)
        return Measured(**{name: sums + theirs[name] for name, sums in mine.items()})

    def figures(self) -> dict[str, float]:
        """Flat metrics `attention_kl/{local,end_to_end}/...` as in figures.py, and `floor/{mean,median,p95,max}`."""
        named: dict[str, float] = {}
        for scope, sums, floor in self._scopes():
            named |= figures(sums, scope)
            rounding = statistics(floor, "kl/all").items()
            named |= {f"attention_kl/{scope}/floor/{key}": value for key, value in rounding}
        return named

    def tables(self) -> dict[str, NDArray]:
        """`<scope>/<name>`: means over rows per (layer, head), (L, H) or for masses (L, H, G)."""
        return {
            f"{scope}/{name}": sums.mean(name).numpy()
            for scope, sums, _ in self._scopes()
            for name in sums.sums
            if not name.startswith("output/")  # squared norms: meant for their quotient in the figures alone
        }

    def worst(self) -> dict[str, list[tuple[int, int, float]]]:
        """`<scope>/kl/{all,video}` -> the five (layer, head, KL in nats) with the largest mean KL."""
        names = ("kl/all", "kl/video")
        return {
            f"{s}/{name}": worst_heads(sums, name)
            for s, sums, _ in self._scopes()
            for name in names
            if name in sums.sums
        }

    def _scopes(self):
        yield "local", self.local, self.local_floor
        yield "end_to_end", self.end_to_end, self.end_to_end_floor
