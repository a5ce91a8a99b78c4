"""The table of metric names: README is made from it, and each metric is told of once."""

import subprocess
import sys

import pytest

from intpv.kv_quant.static_grid import Drift
from intpv.metrics.cell import summarise
from intpv.metrics.names import ALWAYS, CALIBRATED, METRICS, PLACEHOLDERS, VALID_WHEN, entries

from ..metric_glossary import README, glossary

# what a cell holds of itself (experiments/run/cell.py); a whole one is in tests/experiments/test_measured_cell.py
OF_THE_CELL = {"frames", "groups", "rearrangement_is_noop"}


def _presence(metrics: dict[str, float]) -> set[str]:
    """When each of them is present; each is told of once."""
    assert {name: found for name in metrics if len(found := entries(name)) != 1} == {}
    return {entries(name)[0].present for name in metrics}


def test_readme_is_the_table():
    assert README.read_text(encoding="utf-8") == glossary(), "python -m tests.metric_glossary writes it anew"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_an_entry_is_whole(metric):
    assert all((metric.name, metric.unit, metric.meaning, metric.present))
    assert metric.meaning.endswith(".")
    assert [other.name for other in METRICS].count(metric.name) == 1


def test_every_placeholder_is_in_a_name():
    assert [one for one in PLACEHOLDERS if not any(f"<{one}>" in metric.name for metric in METRICS)] == []


def test_where_nothing_was_answered_what_is_always_there_is_there_alone(failed):
    metrics = summarise([failed(ceiling=None, blind=None)])
    assert _presence(metrics) == {ALWAYS}
    always = [metric for metric in METRICS if metric.present == ALWAYS and metric.name not in OF_THE_CELL]
    assert [metric.name for metric in always if not any(map(metric.fits, metrics))] == []


def test_each_metric_of_any_lines_is_told_of_once(draw, line):
    placed = [line(f"w{said}/0", kind="when", options=["1", "2"], answer="1", prediction=said) for said in "12"]
    metrics = summarise([*draw(4), *placed, line("w3/0", kind="a/b", labels={"regime": "of its own"})])
    assert _presence(metrics) >= {ALWAYS, VALID_WHEN}
    assert {"when/exact", "slow/accuracy", "accuracy/a/b", "of its own/accuracy/a/b"} <= metrics.keys()


def test_calibrated_ranges_have_the_metrics_of_their_drift():
    named = Drift(clipped=0.1, range_ratio=1.0, elements=1).figures()
    assert named.keys() == {metric.name for metric in METRICS if metric.present == CALIBRATED}


@pytest.mark.parametrize("name", ["accuracy/", "kv/", "local/all/mean", "attention_kl/visual_rows/local/floor/max"])
def test_what_no_cell_has_is_not_told_of(name):
    assert entries(name) == []


def test_the_table_is_read_without_torch():
    code = "import sys, intpv.metrics.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=README.parents[2]).returncode == 0
