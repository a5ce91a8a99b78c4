"""FINDINGS.md: every study's prediction is the one of its experiment, every figure one of its committed tables."""

import re
from pathlib import Path

import pytest

from analysis.committed import RESULTS, STUDIES
from intpv.options import CONF

PAGE = Path(RESULTS).parent / "FINDINGS.md"
SECTION = re.compile(r"^## (.+?) \(`(\w+)`\)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BENCH = re.compile(r"^## .+? \(`bench (\w+)`\)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
DECIMAL = re.compile(r"(?<![\w.])[-+]?\d+\.\d+(?![\w.]*\w)")
SECTIONS = {name: text for _, name, text in SECTION.findall(PAGE.read_text(encoding="utf-8"))}


def part(study: str, name: str) -> str:
    """A paragraph, in one line."""
    (found,) = re.findall(rf"^\*\*{name}\.\*\* (.+?)(?=\n\n|\n*\Z)", SECTIONS[study], re.MULTILINE | re.DOTALL)
    return " ".join(found.split())


def test_every_study_has_its_section_and_its_files():
    assert sorted(SECTIONS) == sorted(name for name in STUDIES if (RESULTS / name).exists())
    assert SECTIONS
    for name in SECTIONS:
        assert {file.name for file in (RESULTS / name).iterdir()} == set(STUDIES[name])


@pytest.mark.parametrize("study", SECTIONS)
def test_the_prediction_is_the_one_that_was_written_before(study):
    lines = (CONF / "experiment" / f"{study}.yaml").read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
    (predicted,) = re.findall(r"Prediction of \d+ \w+ 2026, before [^:]+: (.+)", comment)
    assert part(study, "Prediction") == predicted


def strange_figures(text: str, tables) -> list[str]:
    """Those of a text, which must have some, that stand in none of the tables."""
    known, told = "\n".join(file.read_text(encoding="utf-8") for file in tables), DECIMAL.findall(text)
    assert told
    return [figure for figure in told if not re.search(rf"(?<![\w.]){re.escape(figure)}(?!\d)", known)]


@pytest.mark.parametrize("study", SECTIONS)
def test_every_figure_stands_in_a_committed_table_of_the_study(study):
    text = f"{part(study, 'Result')} {part(study, 'Shows')}"
    assert strange_figures(text, (RESULTS / study).glob("*.md")) == []


@pytest.mark.parametrize(("bench", "text"), BENCH.findall(PAGE.read_text(encoding="utf-8")))
def test_every_figure_of_a_benchmark_stands_in_its_tables(bench, text):
    assert strange_figures(text, RESULTS.glob(f"bench_{bench}*.md")) == []
