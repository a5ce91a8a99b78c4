"""Page and table: what a verb of this folder found in a sweep, as Markdown for readers and as CSV for programs."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_page_and_table(folder: Path, name: str, page: str, rows: Sequence[Mapping[str, object]]) -> list[Path]:
    """NAME.md and NAME.csv in `folder`; the first row names the columns."""
    texts, table = folder / f"{name}.md", folder / f"{name}.csv"
    texts.write_text(page, encoding="utf-8")
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return [texts, table]
