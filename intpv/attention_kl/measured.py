"""Measured: the measures of one video or, added up, of many; as flat metrics and as tables for the run's npz."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from intpv.attention_kl.answers import answer_figures
from intpv.attention_kl.figures import figures, grouped_figures, statistics, worst_heads
from intpv.attention_kl.head_sums import HeadSums
from intpv.attention_kl.listed import Listed
from intpv.measure.signatures.figures import signature_figures

SCOPES = ("local", "end_to_end", "visual_rows/local", "visual_rows/end_to_end")
GROUPED = "grouped"
REFERENCES = {"local": "same_rope_full_kv", GROUPED: "trained_length"}  # what each measure's reference is called


@dataclass(frozen=True)
class Measured:
    """Parts by name; a part that was not asked for is not there.

    sums    <scope> and <scope>/floor, the reference against itself: what is no larger is rounding; grouped
    listed  answers, grouped/answers: what lost_answers gave; signatures: see intpv/signs.py
    """

    sums: Mapping[str, HeadSums] = field(default_factory=dict)
    listed: Mapping[str, Listed] = field(default_factory=dict)

    @classmethod
    def together(cls, videos: Iterable["Measured"]) -> "Measured":
        """Of several videos; sums are added as they come, so that no more than one video's are held."""
        sums: dict[str, HeadSums] = {}
        lists: dict[str, list[Listed]] = {}
        for one in videos:
            sums |= {name: sums[name] + new if name in sums else new for name, new in one.sums.items()}
            for name, new in one.listed.items():
                lists.setdefault(name, []).append(new)
        return cls(sums, {name: Listed.together(found) for name, found in lists.items()})

    def __or__(self, other: "Measured") -> "Measured":
        """Other measures of the same video beside these."""
        return Measured({**self.sums, **other.sums}, {**self.listed, **other.listed})

    def figures(self) -> dict[str, float]:
        """Flat metrics: `attention_kl/...` as in figures.py, `<scope>/floor/...`, `attention_kl/answer_kl/...`,
        `flips/...`; against the trained length `attention_kl/grouped/...`, `flips/trained_length/...`; `signature/...`.
        """
        named: dict[str, float] = {}
        for scope in self._scopes():
            named |= figures(self.sums[scope], scope)
            if floor := self.sums.get(f"{scope}/floor"):
                rounding = statistics(floor, "kl/all").items()
                named |= {f"attention_kl/{scope}/floor/{key}": value for key, value in rounding}
        if GROUPED in self.sums:
            named |= grouped_figures(self.sums[GROUPED])
        for answers, kl, flips in (("answers", "", "flips"), ("grouped/answers", "/grouped", "flips/trained_length")):
            if answers in self.listed:
                named |= answer_figures(self.listed[answers], f"attention_kl{kl}", flips)
        if "signatures" in self.listed:
            named |= signature_figures(self.listed["signatures"].values)
        return named

    def tables(self) -> dict[str, NDArray]:
        """`<part>/<name>`: means over rows per (layer, head), (L, H) or for masses (L, H, G); `<scope>/floor` likewise;
        `<part>/worst_heads/<name>` with the fields layer, head and kl; `reference/<part>`, what it was compared with;
        and each listed part as it is.
        """
        found: dict[str, NDArray] = {}
        for part, sums in self.sums.items():
            is_floor = part.endswith("/floor")
            for name in ("kl/all", "kl/video") if is_floor else sums.sums:
                if name in sums.sums and not name.startswith("output/"):  # squared norms: meant for their quotient
                    found[f"{part}/{name}"] = sums.mean(name).numpy()
        heads = [("layer", np.int64), ("head", np.int64), ("kl", np.float64)]
        found |= {f"worst_heads/{name}": np.array(worst, heads) for name, worst in self.worst().items()}
        found |= {f"reference/{part}": np.array(name) for part, name in REFERENCES.items() if part in self.sums}
        lists = ((f"{part}/{name}", value) for part, one in self.listed.items() for name, value in one.values.items())
        return found | {name: value.numpy() for name, value in lists}

    def worst(self) -> dict[str, list[tuple[int, int, float]]]:
        """`<scope>/kl/{all,video}` and `grouped/total` -> the five (layer, head, KL in nats) with the largest mean."""
        names = [(scope, name) for scope in self._scopes() for name in ("kl/all", "kl/video")]
        return {
            f"{part}/{name}": worst_heads(self.sums[part], name)
            for part, name in [*names, (GROUPED, "total")]
            if part in self.sums and name in self.sums[part].sums
        }

    def _scopes(self) -> list[str]:
        return [scope for scope in SCOPES if scope in self.sums]
