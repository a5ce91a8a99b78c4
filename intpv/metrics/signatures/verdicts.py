"""Figures: the signatures of a cell from what its videos left, each beside the same videos at the trained length.

`signature/<name>` is 1 where the run shows it; `/value` and `/baseline` are means over videos, `/threshold` is by the
baseline's spread from its mean, and by what is allowed beside it:

garbled_output        share of answers that are none to their question; 3 / questions more (rule of three)
attention_saturation  entropy of attention / the baseline's, too high; ln(F / N) more, for just repeating every frame
                      F / N times spreads attention that much
attention_collapse    the same, too low
positional_drift      centroid of the attention mass on frames, 0 the first bin of time and 1 the last, too far off
time_probe            RMS error of the time that a linear map reads off the tokens, fitted at the trained length
token_misalignment    cosine of neighbouring frames' tokens where two groups meet, less that inside groups (the
                      baseline's where no neighbours share one), too low against the spread of the baseline's cosine
slot_order            how well the tower's time slots follow the order in which the LLM reads the frames
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from jaxtyping import Float
from scipy.stats import t
from torch import Tensor

from intpv.metrics.signatures.time_probe import held_out

# Spread: how far a cell's mean must lie from the baseline's to be a signature, in the baseline's own spread.
#
# One standard deviation over videos: the typical video then stands where five in six of the baseline's do not. Three,
# as for a single video, would miss a cell that answers no better than blind. With few videos it is more: so much that
# the baseline on as many fresh videos would exceed it once in a hundred times (Student's t).


DEVIATIONS = 1  # standard deviations of the baseline over its videos
CHANCE = 0.01  # that fresh videos of the baseline do
ROUNDING = 1e-6  # what differs by no more is the same figure


@dataclass(frozen=True)
class Verdict:
    """A cell's figure (mean over its videos) beside the same videos' at the trained length.

    >>> Verdict(value=0.5, baseline=0.0, threshold=0.25, fires=True).named("drift")["signature/drift"]
    1.0
    """

    value: float
    baseline: float
    threshold: float | None  # None: one video has no spread
    fires: bool

    def named(self, name: str) -> dict[str, float]:
        """`signature/<name>` (0 or 1, with `/threshold` where there is one), `/value`, `/baseline`."""
        found = {f"signature/{name}/value": self.value, f"signature/{name}/baseline": self.baseline}
        if self.threshold is not None:
            found |= {f"signature/{name}": float(self.fires), f"signature/{name}/threshold": self.threshold}
        return found


def too_high(run: Sequence[float], baseline: Sequence[float], allowance: float = 0.0) -> Verdict:
    """Fires when the run's mean is over the baseline's by more than its spread and `allowance`.

    >>> too_high(run=[2.0], baseline=[1.0, 1.0], allowance=0.5)
    Verdict(value=2.0, baseline=1.0, threshold=1.5, fires=True)
    """
    value, usual, threshold = _threshold(run, baseline, 1, allowance)
    return Verdict(value, usual, threshold, threshold is not None and value > threshold + ROUNDING)


def too_low(run: Sequence[float], baseline: Sequence[float], allowance: float = 0.0) -> Verdict:
    """Fires when the run's mean is under the baseline's by more than its spread and `allowance`.

    >>> too_low(run=[2.0], baseline=[1.0, 1.0], allowance=0.5).fires
    False
    """
    value, usual, threshold = _threshold(run, baseline, -1, allowance)
    return Verdict(value, usual, threshold, threshold is not None and value < threshold - ROUNDING)


def moved(run: Sequence[float], baseline: Sequence[float]) -> Verdict:
    """Fires when the run's mean is too far off on either side; the threshold is that of its side.

    >>> moved(run=[0.0], baseline=[1.0, 1.0]).fires, moved(run=[2.0], baseline=[1.0, 1.0]).fires
    (True, True)
    """
    return (too_high if fmean(run) >= fmean(baseline) else too_low)(run, baseline)


def _threshold(run, baseline, side: int, allowance: float) -> tuple[float, float, float | None]:
    value, usual = fmean(run), fmean(baseline)
    if len(baseline) < 2:
        return value, usual, None
    by_chance = float(t.ppf(1 - CHANCE, len(baseline) - 1)) * (2 / len(baseline)) ** 0.5
    spread = stdev(baseline) * max(DEVIATIONS, by_chance)
    return value, usual, usual + side * (spread + allowance)


RUN, BASELINE = "run", "baseline"


def signature_figures(values: Mapping[str, Float[Tensor, "videos ..."]]) -> dict[str, float]:
    """From `<name>/run` and `<name>/baseline` per video; what the videos did not leave has no figures."""

    def sides(name: str) -> tuple[list[float], list[float]]:
        return values[f"{name}/{RUN}"].tolist(), values[f"{name}/{BASELINE}"].tolist()

    run, usual = sides("entropy")
    level = fmean(usual) or 1.0
    entropy = [one / level for one in run], [one / level for one in usual]
    verdicts = {
        "garbled_output": too_high(*sides("invalid"), 3 / float(values["questions"].sum())),
        "attention_saturation": too_high(*entropy, fmean(values["log_times_longer"].tolist()) / level),
        "attention_collapse": too_low(*entropy),
        "positional_drift": moved(*sides("time_centroid")),
    }
    if f"slot_order/{RUN}" in values:
        verdicts["slot_order"] = too_low(*sides("slot_order"))
    if f"seam/{RUN}" in values:
        gap, inside = sides("seam")
        spread = [one - fmean(inside) for one in inside]
        verdicts["token_misalignment"] = replace(too_low(gap, spread), baseline=0.0)  # but for rounding
    named = {key: value for name, verdict in verdicts.items() for key, value in verdict.named(name).items()}
    return named | _probe(values[f"probe/{RUN}"], values[f"probe/{BASELINE}"])


def _probe(run: Float[Tensor, "videos k k"], baseline: Float[Tensor, "videos k k"]) -> dict[str, float]:
    """Nothing for one video: there is no other to fit."""
    if len(baseline) < 2:
        return {}
    ours, usual = held_out(baseline, run), held_out(baseline, baseline)
    verdict: Verdict = too_high([error for error, _ in ours], [error for error, _ in usual])
    r2 = {"r2": fmean(r2 for _, r2 in ours), "r2_baseline": fmean(r2 for _, r2 in usual)}
    return verdict.named("time_probe") | {f"signature/time_probe/{name}": value for name, value in r2.items()}
