"""Shown: the failure signatures of a finished cell, in words; from metrics.json alone, so without torch."""

from collections.abc import Mapping


def shown(metrics: Mapping[str, float]) -> list[str]:
    """A line for each signature that a finished cell shows, with its figures.

    >>> named = {"value": 0.5, "baseline": 0.0, "threshold": 0.25}
    >>> shown({"signature/drift": 1.0} | {f"signature/drift/{name}": value for name, value in named.items()})
    ['drift shows: 0.5, threshold 0.25 (0 at the trained length)']
    """
    verdicts = {
        name: value for name, value in metrics.items() if name.startswith("signature/") and name.count("/") == 1
    }
    return [
        f"{name.removeprefix('signature/')} shows: {metrics[f'{name}/value']:.3g}, threshold "
        f"{metrics[f'{name}/threshold']:.3g} ({metrics[f'{name}/baseline']:.3g} at the trained length)"
        for name in sorted(verdicts)
        if verdicts[name]
    ]
