"""Shown: the failure signatures of a finished cell, in words; from metrics.json alone, so without torch."""

from collections.abc import Mapping


def shown(metrics: Mapping[str, float]) -> list[str]:
    """A line for each signature that a finished cell shows, with its figures."""
    verdicts = {
        name: value for name, value in metrics.items() if name.startswith("signature/") and name.count("/") == 1
    }
    return [
        f"{name.removeprefix('signature/')} shows: {metrics[f'{name}/value']:.3g}, threshold "
        f"{metrics[f'{name}/threshold']:.3g} ({metrics[f'{name}/baseline']:.3g} at the trained length)"
        for name in sorted(verdicts)
        if verdicts[name]
    ]
