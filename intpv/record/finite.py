"""Finite: metrics are numbers that JSON knows; one that is none is refused by its name."""

import math
from collections.abc import Mapping


def finite(metrics: Mapping[str, object]) -> dict[str, float | int | None]:
    """The same as plain numbers. ValueError, naming the metric, for NaN, infinity and what is no number."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in metrics.items()}
    for name, value in plain.items():
        if not isinstance(value, float | int | None) or (value is not None and not math.isfinite(value)):
            raise ValueError(f"metric {name} must be a finite number or null, got {value!r}")
    return plain
