"""Memory's bars: each is as high as the metric it shows, whatever it is made of."""

import pytest

from analysis.memory_figure import draw_memory
from analysis.runs import read_cell

from .cell_folders import measured


@pytest.fixture
def cell(tmp_path, write_cell, answers):
    folder = write_cell(tmp_path, kv="int2", lines=answers())
    measured(folder)
    return read_cell(folder)


def test_parts_add_up_to_the_peaks_and_to_the_prefix(cell):
    heights = {}
    for row in draw_memory(cell).rows:
        heights[row["bar"]] = heights.get(row["bar"], 0) + row["bytes"]
    assert heights == {
        "watch": cell.metrics["memory/watch_peak_bytes"],
        "ask": cell.metrics["memory/ask_peak_bytes"],
        "full precision": cell.metrics["kv/full_precision_bytes"],
        "as stored": cell.metrics["kv/bytes"],
    }


def test_parts_that_a_policy_has_not_are_not_shown(cell):
    shown = {row["part"] for row in draw_memory(cell).rows if row["bar"] == "as stored"}
    assert shown == {"codes", "scales", "zeros", "exempt"}
