"""A cell's figures: one per thing it has measured, numbers and all, and none where there is nothing to draw."""

import sys

import numpy as np
import pytest
from matplotlib.image import imread

from analysis import figures
from analysis.figures import draw_cell
from intpv.errors import BadInput

from .cell_folders import measured


@pytest.fixture
def folder(tmp_path, write_cell, answers):
    return write_cell(tmp_path / "sweep", kv="int2", lines=answers())


@pytest.mark.slow
def test_a_cell_that_has_measured_everything_has_three(folder):
    measured(folder)
    found = draw_cell(folder)
    assert [figure.key for figure in found] == ["attention_kl", "attention_mass", "memory"]
    for figure in found:
        assert figure.path == folder / f"{figure.key}.png"
        assert imread(figure.path).shape[1] == 1200
        assert b"/FontFile2" in figure.path.with_suffix(".pdf").read_bytes()
        assert all(list(row) == figure.columns() for row in figure.rows)


@pytest.mark.slow
def test_tables_alone_and_peaks_alone_give_their_own(folder):
    measured(folder)
    tables = (folder / "attention_kl.npz").read_bytes()
    (folder / "attention_kl.npz").unlink()
    assert [figure.key for figure in draw_cell(folder)] == ["memory"]
    (folder / "attention_kl.npz").write_bytes(tables)
    (folder / "metrics.json").write_text('{"videos": 1, "questions": 1}')
    assert [figure.key for figure in draw_cell(folder)] == ["attention_kl", "attention_mass"]


def test_a_cell_that_has_measured_nothing_has_none(folder):
    assert draw_cell(folder) == []
    np.savez(folder / "attention_kl.npz", other=np.zeros(1))
    assert draw_cell(folder) == []
    assert not [*folder.glob("*.png"), *folder.glob("*.pdf")]


def test_what_is_no_cell_is_refused(tmp_path):
    with pytest.raises(BadInput, match=f"{tmp_path} is no cell"):
        draw_cell(tmp_path)


@pytest.mark.slow
def test_the_command_takes_a_cell_or_a_sweep(folder, monkeypatch, capsys):
    measured(folder)
    (folder / "attention_kl.npz").unlink()
    said = {}
    for given in (folder, folder.parent):
        monkeypatch.setattr(sys, "argv", ["figures", str(given)])
        assert figures.main() == 0
        said[given] = capsys.readouterr().out
    assert said[folder] == said[folder.parent]
    assert said[folder].splitlines() == [str(folder / "memory.png"), str(folder / "memory.pdf")]
    monkeypatch.setattr(sys, "argv", ["figures", str(folder / "gone")])
    assert figures.main() == 2
    assert "no cells in" in capsys.readouterr().err
