"""Figures: the signatures of a cell from what its videos left, each beside the same videos at the trained length.

`signature/<name>` is 1 where the run shows it; `/value` and `/baseline` are means over videos, `/threshold` is by the
baseline's spread (spread.py) from its mean, and by what is allowed beside it:

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

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

from jaxtyping import Float
from torch import Tensor

from intpv.measure.signatures.spread import Verdict, moved, too_high, too_low
from intpv.measure.signatures.time_probe import held_out

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
