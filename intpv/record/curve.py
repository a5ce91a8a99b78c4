"""Curve: accuracy against frames, a line per label, as every mirror can take it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """One chart."""

    key: str  # its name in a logger: letters, digits and _
    title: str
    lines: Mapping[str, Mapping[int, float]]  # label -> F -> accuracy, 0 to 1


def safe(text: str) -> str:
    """Only letters, digits and _: `yarn factor=2.5` -> `yarn_factor_2_5`. W&B would nest at a dot."""
    return re.sub(r"\W+", "_", text)


def series(curves: Sequence[Curve]) -> dict[int, dict[str, float]]:
    """F, rising -> `<curve>/<label>` -> accuracy: the points of all lines, to be logged with F as the step."""
    points: dict[int, dict[str, float]] = {}
    for curve in curves:
        for label, line in curve.lines.items():
            for frames, value in line.items():
                points.setdefault(frames, {})[f"{curve.key}/{safe(label)}"] = value
    return dict(sorted(points.items()))
