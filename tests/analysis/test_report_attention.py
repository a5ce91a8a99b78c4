"""Attention in the report: the map and the bars are the tables of the run folders, and a large model's fit the page."""

import json
import re

import numpy as np
import pytest

from analysis.report import attention, report
from analysis.report.report import write_report
from analysis.runs import read_sweep
from intpv.errors import BadInput

from .cell_folders import HEADS, KINDS, LAYERS, measured


@pytest.fixture
def folder(tmp_path, write_cell, answers):
    for frames, kv in ((8, "none"), (32, "none"), (32, "int2"), (32, "int4")):
        write_cell(tmp_path / "measured", "none", frames, kv, answers(seed=frames))
    return tmp_path / "measured"


@pytest.fixture
def tables(folder):
    """By frames and KV."""
    return {
        (cell.frames, cell.kv_quant): measured(cell.folder, cell.frames, seed)
        for seed, cell in enumerate(read_sweep(folder))
    }


def test_the_page_shows_every_head_and_frame(folder, tables, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_library", lambda: "")
    monkeypatch.setattr(report, "_library_version", lambda: "Vega")
    page = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    panels = json.loads(re.search(r'id="panels">(.*?)</script>', page, re.DOTALL)[1])
    (panel,) = [one for one in panels if one["group"] == "heads"]
    assert panel["default"] == {"rope": "none", "order": "strided", "kv": "int2", "frames": "32"}
    for kv in ("int2", "int4"):
        shown = {(row["layer"], row["head"]): row["y"] for row in panel["rows"] if row["kv"] == kv}
        table = tables[32, kv]["local/kl/all"]
        assert len(shown) == LAYERS * HEADS
        top = max(tables[32, one]["local/kl/all"].max() for one in ("int2", "int4"))
        for place, value in np.ndenumerate(table):
            assert shown[place] == pytest.approx(max(value, top / 1e4), rel=0.006)
    assert {row["kv"] for row in panel["rows"]} == {"int2", "int4"}  # of full precision there is no distance
    (bars,) = re.findall(r'<svg class="mass".*?</svg>', page)
    heights = [float(one) for one in re.findall(r' height="([\d.]+)"', bars)]
    mass = tables[32, "none"]["end_to_end/mass/modified"].mean((0, 1))[KINDS:]
    assert heights == pytest.approx(mass / mass.max(), abs=0.001)


def test_a_large_model_is_cut_and_said(folder, tables):
    for cell in read_sweep(folder):
        large = {"local/kl/all": np.ones((64, 64)), "grouped/total": np.ones((2, 3))}
        np.savez(cell.folder / "attention_kl.npz", **large)
    panels = attention.head_panels(read_sweep(folder), "sweep-0")
    assert [len(panel["rows"]) for panel in panels] == [64 * 64, 4 * 2 * 3]
    assert "1 of 2 cells, those with the most frames" in panels[0]["caption"]
    assert "of 4 cells" not in panels[1]["caption"]


def test_cells_that_measured_nothing_have_neither(folder):
    assert attention.head_panels(read_sweep(folder), "sweep-0") == []
    assert attention.attention_over_time(read_sweep(folder)) == []


def test_a_file_that_cannot_be_read_is_named(folder):
    file = read_sweep(folder)[0].folder / "attention_kl.npz"
    file.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(BadInput, match=r"attention_kl\.npz cannot be read: "):
        attention.attention_over_time(read_sweep(folder))
