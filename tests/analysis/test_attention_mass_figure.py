"""Attention against time: a point per frame and side, the means of the heads."""

import numpy as np
import pytest

from analysis.attention_mass_figure import draw_attention_mass
from analysis.runs import read_cell
from intpv.attention_kl.key_groups import FIRST_FRAME

from .cell_folders import KINDS, measured


@pytest.mark.slow
@pytest.mark.parametrize("frames", [8, 32])
def test_rows_are_the_frames_shares_of_all_heads(tmp_path, write_cell, answers, frames):
    cell = read_cell(write_cell(tmp_path, frames=frames, kv="int2", lines=answers()))
    tables = measured(cell.folder, frames)
    figure = draw_attention_mass(cell, tables)
    assert [row["frame"] for row in figure.rows] == list(range(1, frames + 1))
    for scope in ("local", "end_to_end"):
        for side in ("reference", "modified"):
            expected = tables[f"{scope}/mass/{side}"].reshape(-1, KINDS + frames).mean(0)[KINDS:]
            assert [row[f"{scope} {side}"] for row in figure.rows] == pytest.approx(expected)


def test_where_two_frames_make_one_slot_there_is_a_point_per_slot(tmp_path, write_cell, answers):
    cell = read_cell(write_cell(tmp_path, frames=16, lines=answers()))
    tables = measured(cell.folder, 8)
    rows = draw_attention_mass(cell, tables).rows
    expected = tables["local/mass/modified"].reshape(-1, FIRST_FRAME + 8).mean(0)[FIRST_FRAME:]
    assert [row["local modified"] for row in rows] == pytest.approx(expected)


def test_no_mass_gives_no_figure(tmp_path, write_cell, answers):
    cell = read_cell(write_cell(tmp_path, lines=answers()))
    assert draw_attention_mass(cell, {"local/kl/all": np.zeros((2, 2))}) is None
