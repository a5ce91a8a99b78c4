"""Measured: the measures of one video or, added up, of many; as flat metrics and as tables for the run's npz."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from intpv.attention_kl.grouped import kl_of_sets
from intpv.attention_kl.key_groups import FIRST_FRAME, KINDS
from intpv.attention_kl.sums import HeadSums, Listed
from intpv.metrics.placeholders import FLIPS
from intpv.metrics.signatures.verdicts import signature_figures
from intpv.scorer.scorer import Asked, Scorer
from intpv.video_llm.asking import Answer

# Figures: a pass' sums as flat metrics, and the heads that stand out.


TINY = 1e-6  # nats or squared norm: keeps a ratio of two zeros at 1 and every ratio finite


def figures(sums: HeadSums, scope: str) -> dict[str, float]:
    """`attention_kl/<scope>/...`, all finite; scope is local or end_to_end.

    {all,video}/{mean,median,p95,max}  KL over the (layer, head) table, nats; what no row has a value of is left out
    entropy_ratio                      modified / reference, 1 where nothing changed
    top1_agreement, lost_mass          0 to 1
    attention_output_error             ||change|| / ||reference|| over all rows and heads: what keys alone cannot show
    mass/{sink,text,question,video}/{reference,modified}   0 to 1
    """
    named: dict[str, float] = {}
    for keys in ("all", "video"):
        if (name := f"kl/{keys}") in sums.sums:
            named |= {f"{keys}/{key}": value for key, value in statistics(sums, name).items()}
    total = {name: float(value.sum()) for name, value in sums.sums.items() if value.dim() == 2}
    named["entropy_ratio"] = (total["entropy/modified"] + TINY) / (total["entropy/reference"] + TINY)
    named["attention_output_error"] = (total["output/error"] / max(total["output/norm"], TINY)) ** 0.5
    named |= {name: float(sums.mean(name).mean()) for name in ("top1_agreement", "lost_mass")}
    for side in ("reference", "modified"):
        mass = sums.mean(f"mass/{side}").mean((0, 1))
        named |= {f"mass/{kind}/{side}": float(mass[index]) for index, kind in enumerate(KINDS)}
        named[f"mass/video/{side}"] = float(mass[FIRST_FRAME:].sum())
    return {f"attention_kl/{scope}/{name}": value for name, value in named.items()}


def grouped_figures(sums: HeadSums) -> dict[str, float]:
    """`attention_kl/grouped/{total,modality,within_video,within_text}/{mean,median,p95,max}` in nats, and lost_mass."""
    parts = ("total", "modality", "within_video", "within_text")
    named = {f"{part}/{key}": value for part in parts for key, value in statistics(sums, part).items()}
    named["lost_mass"] = float(sums.mean("lost_mass").mean())
    return {f"attention_kl/grouped/{name}": value for name, value in named.items()}


def statistics(sums: HeadSums, name: str) -> dict[str, float]:
    """Mean, median, 95th percentile and maximum over the heads that have a value; empty if none has."""
    table = sums.mean(name)[sums.rows[name] > 0]
    if len(table) == 0:
        return {}
    median, p95 = torch.quantile(table, torch.tensor([0.5, 0.95], dtype=table.dtype)).tolist()
    return {"mean": float(table.mean()), "median": median, "p95": p95, "max": float(table.max())}


def worst_heads(sums: HeadSums, name: str = "kl/all", count: int = 5) -> list[tuple[int, int, float]]:
    """(layer, head, mean KL in nats) of the heads with the largest mean, largest first."""
    table = sums.mean(name)
    values, places = table.flatten().topk(min(count, table.numel()))
    heads = table.shape[1]
    return [
        (sums.layers[place // heads], place % heads, value)
        for place, value in zip(places.tolist(), values.tolist(), strict=True)
    ]


# Answers: what a modified model's answers lose beside its attention, since attention to keys cannot see the values.


KL = "answer_kl"


def lost_answers(
    reference: Sequence[Answer], modified: Sequence[Answer], questions: Sequence[Asked], scorer: Scorer
) -> Listed:
    """`answer_kl` and the three flips of each question of a video, correct as the run's scorer has it."""

    def scored(answers: Sequence[Answer]) -> list[tuple[str, bool]]:
        pairs = zip(answers, questions, strict=True)
        return [(answer.text, scorer.score(answer.text, question).correct) for answer, question in pairs]

    kl = [answer_kl(one.kept_logits, other.kept_logits) for one, other in zip(reference, modified, strict=True)]
    return Listed.of({KL: torch.stack(kl), **flips(scored(reference), scored(modified))})


def answer_kl(
    reference: Float[Tensor, "*questions V"], modified: Float[Tensor, "*questions V"]
) -> Float[Tensor, "*questions"]:
    """KL in nats between the distributions of the answer's first token, from logits over the vocabulary."""
    return kl_of_sets(reference.double(), modified.double())


def flips(reference: Sequence[tuple[str, bool]], modified: Sequence[tuple[str, bool]]) -> dict[str, list[float]]:
    """Of (answer, correct) per question on both sides: which went from right to wrong, from wrong to right, from one
    wrong to another; 1 for those, 0 for the others.
    """
    pairs = list(zip(reference, modified, strict=True))
    return {
        "right_to_wrong": [float(right and not still) for (_, right), (_, still) in pairs],
        "wrong_to_right": [float(still and not right) for (_, right), (_, still) in pairs],
        "changed_wrong": [float(not right and not still and said != says) for (said, right), (says, still) in pairs],
    }


def answer_figures(lost: Listed, kl_under: str, flips_under: str) -> dict[str, float]:
    """`<kl_under>/answer_kl/{mean,median,p95,max}` over questions, `<flips_under>/<flip>` as shares of them."""
    kl = lost.values[KL]
    median, p95 = torch.quantile(kl, torch.tensor([0.5, 0.95], dtype=kl.dtype)).tolist()
    statistics = {"mean": float(kl.mean()), "median": median, "p95": p95, "max": float(kl.max())}
    return {
        **{f"{kl_under}/{KL}/{name}": value for name, value in statistics.items()},
        **{f"{flips_under}/{name}": float(lost.values[name].mean()) for name in FLIPS},
    }


SCOPES = ("local", "end_to_end", "visual_rows/local", "visual_rows/end_to_end")
GROUPED = "grouped"
REFERENCES = {"local": "same_rope_full_kv", GROUPED: "trained_length"}  # what each measure's reference is called


@dataclass(frozen=True)
class Measured:
    """Parts by name; a part that was not asked for is not there.

    sums    <scope> and <scope>/floor, the reference against itself: what is no larger is rounding; grouped
    listed  answers, grouped/answers: what lost_answers gave; signatures: see intpv/inference/measuring.py
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
        `<part>/output_error`, (L, H): ||change|| / ||reference|| of what a head puts out, over all rows;
        `<part>/worst_heads/<name>` with the fields layer, head and kl; `reference/<part>`, what it was compared with;
        and each listed part as it is.
        """
        found: dict[str, NDArray] = {}
        for part, sums in self.sums.items():
            is_floor = part.endswith("/floor")
            for name in ("kl/all", "kl/video") if is_floor else sums.sums:
                if name in sums.sums and not name.startswith("output/"):  # squared norms: meant for their quotient
                    found[f"{part}/{name}"] = sums.mean(name).numpy()
            if not is_floor and (norm := sums.sums.get("output/norm")) is not None:
                found[f"{part}/output_error"] = (sums.sums["output/error"] / norm.clamp_min(TINY)).sqrt().numpy()
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
