"""Ratios: the attention KL of one method over another's, with what it says about the spread over units."""

from collections.abc import Mapping, Sequence

import numpy as np

from intpv.measure.interval import bootstrap, ratio

EQUAL = 1.05  # times their bits that ours may have for a comparison at equal bits: groups seldom fit to the last token
# ours, theirs, the most that the ratio may be at equal bits (None: reported only)
PAIRS = (
    ("best2", "quanto2 K0 V0", 0.1),
    ("best2", "quanto2 K-1 V0", 0.6),
    ("best2", "kivi K g64", 1.0),
    ("best2", "kivi", 1.0),
    ("best2 g32", "quanto2 K0 V0", 0.1),
    ("best2 g32", "quanto2 K-1 V0", 0.6),
    ("best2 g32", "kivi", 1.0),
    ("int2", "quanto2 K-1 V0", None),
    ("int4", "quanto4 K0 V0", None),
    ("int4", "quanto4 K-1 V0", None),
    ("int8", "hqq8 K0 V0", None),
)


def ratios(kl: Mapping[str, Sequence[float]], bits: Mapping[str, float]) -> list[dict]:
    """One line for each pair that was measured. `kl` is per unit (a head of a seed, or a clip), the same units for all.

    The ratio is that of the means; its 95 % interval is a bootstrap over units, which are drawn for both at once.
    """
    return [
        {
            "ours": ours,
            "theirs": theirs,
            "bits": [bits[ours], bits[theirs]],
            "at_most": limit if bits[ours] <= EQUAL * bits[theirs] else None,
            **of_pair(kl[ours], kl[theirs]),
        }
        for ours, theirs, limit in PAIRS
        if ours in kl and theirs in kl
    ]


def of_pair(ours: Sequence[float], theirs: Sequence[float]) -> dict:
    """`median` and `most` are of the units' own ratios; `interval` is None with one unit."""
    both = np.array([ours, theirs], dtype=float).T
    single = both[:, 0] / both[:, 1]
    interval = bootstrap(both, ratio)
    return {
        "ratio": float(both[:, 0].sum() / both[:, 1].sum()),
        "interval": interval and list(interval),
        "median": float(np.median(single)),
        "most": float(single.max()),
        "units": len(both),
    }
