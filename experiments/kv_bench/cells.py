"""Cells of a Markdown table."""

from collections.abc import Sequence


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *lines))


def spread(times: dict) -> str:
    """Median and extremes."""
    return f"{times['median']:.2f} [{times['min']:.2f}, {times['max']:.2f}]"


def with_interval(mean: float, interval: Sequence[float] | None) -> str:
    return f"{mean:.3g}" + (f" [{interval[0]:.3g}, {interval[1]:.3g}]" if interval else "")


def megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}"
