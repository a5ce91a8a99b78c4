"""The heatmap: every head in the rows, colours on one scale, and tables without any spread."""

import numpy as np
import pytest
from matplotlib.colors import LogNorm
from matplotlib.image import imread

from analysis.attention_kl_figure import _norm, draw_attention_kl
from analysis.runs import read_cell

from .cell_folders import HEADS, LAYERS, measured


@pytest.fixture
def cell(tmp_path, write_cell, answers):
    return read_cell(write_cell(tmp_path, kv="int2", lines=answers()))


def test_rows_hold_every_layer_and_head_of_every_table(cell):
    tables = measured(cell.folder)
    figure = draw_attention_kl(cell, tables)
    assert [(row["layer"], row["head"]) for row in figure.rows] == list(np.ndindex(LAYERS, HEADS))
    for name in (name for name in tables if "/kl/" in name):
        assert [row[name] for row in figure.rows] == tables[name].flatten().tolist()


def test_a_grouped_table_has_a_panel_more(cell):
    table = np.eye(2)
    one = imread(draw_attention_kl(cell, {"local/kl/all": table}).path).shape[0]
    three = dict.fromkeys(("local/kl/all", "end_to_end/kl/all", "grouped/total"), table)
    assert imread(draw_attention_kl(cell, three).path).shape[0] > one


def test_a_reference_against_itself_is_drawn(cell):
    assert draw_attention_kl(cell, {"local/kl/all": np.zeros((2, 2))}).path.exists()


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.full((2, 2), 3.0), np.array([[0.0, 1.0]])])
def test_no_spread_or_zeros_have_a_colour(values):
    assert np.isfinite(_norm(values)(values)).all()


def test_colours_rise_with_kl_over_all_panels():
    values = np.geomspace(1e-9, 1.0, 30)
    norm = _norm(values)
    assert isinstance(norm, LogNorm)
    assert (np.diff(norm(values)) >= 0).all()
    assert (norm(values[0]), norm(values[-1])) == (0, 1)


def test_no_table_gives_no_figure(cell):
    assert draw_attention_kl(cell, {"local/entropy/reference": np.zeros((2, 2))}) is None
