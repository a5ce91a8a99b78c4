"""Signs: what one video leaves for the failure signatures (measure/signatures/figures.py), run and baseline apart."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.attention_kl.head_sums import HeadSums
from intpv.attention_kl.listed import Listed
from intpv.layout import Layout
from intpv.measure.signatures.figures import BASELINE, RUN
from intpv.measure.signatures.time_probe import moments
from intpv.measure.signatures.token_order import Slots, seams
from intpv.trained_length import Shown
from intpv.video_llm import VideoLLM


def signs(
    video_llm: VideoLLM,
    ours: Shown,
    usual: Shown,
    attention: HeadSums,
    valid: tuple[list[bool], list[bool]],
    order: Int[Tensor, "m N"],
) -> Listed:
    """One value each; the run's `order` tells how `ours` was grouped, `attention` is the pass `grouped` from `usual` to
    `ours`, `valid` says of both sides' answers whether they are any. What a tower without time cannot show is left out.
    """
    values = {"questions": float(len(valid[0])), "log_times_longer": math.log(len(ours.tokens) / len(usual.tokens))}
    span = _times(usual.context.layout)
    stacks = {}
    for side, shown, model, said in ((RUN, ours, "modified", valid[0]), (BASELINE, usual, "reference", valid[1])):
        values[f"invalid/{side}"] = 1 - sum(said) / len(said)
        values[f"entropy/{side}"] = float(attention.mean(f"entropy/{model}").mean())
        moment, mass = (float(attention.sums[f"{name}/{model}"].sum()) for name in ("time_moment", "video_mass"))
        values[f"time_centroid/{side}"] = moment / mass if mass else 0.5  # no mass at all is no drift
        times = _shares(_times(shown.context.layout), span)
        stacks[f"probe/{side}"] = moments(shown.tokens.flatten(1, -2), times)[None]
    if video_llm.model.encoder.mixes_time:
        slots = Slots.of(order, video_llm.rearranger.restore)
        at_borders, within = seams(ours.tokens.flatten(1, -2), slots)
        frames = len(usual.tokens)
        unbroken = Slots(torch.zeros(frames, dtype=torch.long), torch.arange(frames))
        _, inside = seams(usual.tokens.flatten(1, -2), unbroken)
        if inside is not None:  # N > 1
            beside = inside if within is None else within
            values[f"seam/{RUN}"] = 0.0 if at_borders is None else at_borders - beside  # one group has no border
            values[f"seam/{BASELINE}"] = inside
        values |= {f"slot_order/{RUN}": slots.order, f"slot_order/{BASELINE}": unbroken.order}
    return Listed.of({**{name: [value] for name, value in values.items()}, **stacks})


def _times(layout: Layout) -> Float[Tensor, " F"]:
    return torch.tensor([span.time for span in layout.spans if span.is_frame], dtype=torch.float64)


def _shares(times: Float[Tensor, " F"], span: Float[Tensor, " N"]) -> Float[Tensor, " F"]:
    """Seconds as shares of the span of others; 0 for a span without length."""
    length = span.max() - span.min()
    return (times - span.min()) / length if length > 0 else torch.zeros_like(times)
