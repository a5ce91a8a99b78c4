"""The README's results: the section that the committed files give, and its figures are those of the tables."""

import csv
import re
import shutil

import pytest

from analysis import committed
from analysis.committed import KEPT, RESULTS, SCALING, pairs_of
from analysis.findings import BLOCK, README
from analysis.readme_section import section
from analysis.verdict import NOTHING

ALIKE = re.compile(r"\b(nothing|ties?|tied|free|equal(ly)?|alike|identical|lossless|no (loss|cost|difference))\b", re.I)


def columns(sweep):
    """table.md as its cells by header, which other code wrote from the run folders."""
    text = (RESULTS / sweep / "table.md").read_text(encoding="utf-8").split("\n## ")[0]
    header, _, *rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [dict(zip(header, row, strict=False)) for row in rows]


def test_the_section_is_the_one_of_the_committed_files():
    assert BLOCK.search(README.read_text(encoding="utf-8"))[0] == section(), (
        "python -m analysis.findings writes it anew"
    )


def test_the_skills_are_those_of_the_table():
    shown = [line.strip("|").split("|") for line in section().splitlines() if line.startswith("|")][2:]
    assert len(shown) == 5
    for name, *cells in shown:
        for frames, cell in zip((8, 16, 32, 64), cells, strict=True):
            (row,) = [one for one in columns(SCALING) if (one["RoPE"], one["F"]) == (name, str(frames))]
            for regime, said in zip(("slow", "fast"), cell.split(" / "), strict=True):
                value, interval = row[f"{regime} skill"].split(" ", 1)
                assert said.split(" ", 1)[1] == interval
                assert abs(float(said.split(" ")[0]) - float(value)) <= 0.55  # the table has a digit more


def test_the_share_of_misreading_is_that_of_the_table():
    rows = {(one["RoPE"], one["F"]): one for one in columns(SCALING)}
    text = " ".join(section().split())
    for name in ("linear", "ntk", "yarn"):
        free, given = (float(rows[name, "64"][f"slow {column}"]) for column in ("acc", "restr"))
        share = 100 * (given - free) / (float(rows[name, "8"]["slow acc"]) - free)
        said = re.search(rf"`{name}` -[\d.]+ \[[^]]+\](?: {{[^}}]+}})?, (\d+) %", text)[1]
        assert float(said) == pytest.approx(share, abs=1)  # the table's accuracies are rounded


@pytest.mark.parametrize("sweep", [name for name in KEPT if (RESULTS / name / "differences.csv").exists()])
def test_the_differences_are_those_of_the_table(sweep):
    said = re.findall(r"[-+][\d.]+ \[", (RESULTS / sweep / "table.md").read_text("utf-8").split("## Paired")[1])
    rows = pairs_of(sweep)
    kept = [f"{100 * row['mean']:+.1f} [" for row in rows if not row["kind"]]
    assert sorted(said) == sorted(kept)


def test_words_for_no_difference_are_the_verdicts_own():
    text = " ".join(section().split()).replace(NOTHING, "")
    assert not ALIKE.search(text)
    assert ALIKE.search(NOTHING)


def test_another_file_gives_another_section(tmp_path, monkeypatch):
    results = shutil.copytree(RESULTS, tmp_path / "results")
    file = results / SCALING / "differences.csv"
    with file.open(newline="", encoding="utf-8") as opened:
        header, *rows = csv.reader(opened)
    with file.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(
            [header, *([*row[: header.index("mean")], -0.123, -0.2, -0.1, -0.2, -0.1, ""] for row in rows)]
        )
    before = section()
    monkeypatch.setattr(committed, "RESULTS", results)
    assert section() != before
    assert "-12.3 [-20.0, -10.0]" in section()
