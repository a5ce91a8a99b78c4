"""Figures: a pass' sums as flat metrics, and the heads that stand out."""

import torch

from intpv.attention_kl.head_sums import HeadSums
from intpv.attention_kl.key_groups import FIRST_FRAME, KINDS

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
