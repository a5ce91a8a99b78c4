"""The glossary of metrics, made from intpv/metrics/names.py: python -m tests.metric_glossary writes it anew."""

from collections.abc import Sequence
from pathlib import Path

from intpv.metrics.names import GLOSSARY, PLACEHOLDERS

README = Path(__file__).parents[1] / "intpv" / "metrics" / "README.md"
HEAD = """# Metrics

These are the numbers in a finished cell's `metrics.json`, also columns of a sweep's `table.csv` and what W&B is shown;
`videos.jsonl` holds those of each video. In a name `<...>` stands for one of the words below, and `[...]` is there or
not. What is undefined is left out, never NaN: the last column says when a metric is present; F = N are the frames that
the tower was trained on.
"""


def glossary() -> str:
    words = [(f"`<{name}>`", _words(one.values), one.meaning) for name, one in PLACEHOLDERS.items()]
    parts = [HEAD, _table(("in a name", "stands for", "which is"), words)]
    for heading, metrics in GLOSSARY.items():
        rows = [(f"`{one.name}`", one.unit, one.meaning, one.present) for one in metrics]
        parts += [f"## {heading}\n", _table(("name", "unit", "meaning", "present"), rows)]
    return "\n".join(parts)


def _words(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values) or "the benchmark's own words"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [header, ["---"] * len(header), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


if __name__ == "__main__":
    README.write_text(glossary(), encoding="utf-8")
