"""LaTeX: no name is a command, every row has its columns, and the figures are the paper's and the folders'."""

import re
import sys

import pytest

from analysis import paper, table
from analysis.latex import latex_tables
from analysis.runs import read_sweep
from intpv.errors import BadInput
from intpv.escape import latex_text

HOSTILE = r"a_b&c%d#e{f}$g$~^\input|<é"
COMMANDS = {"begin", "end", "centering", "caption", "label", "scriptsize", "toprule", "midrule", "bottomrule"}
COMMANDS |= {"raggedright", "par", "usepackage", "pm", "leq", "mu"}
COMMANDS |= {f"text{name}" for name in ("backslash", "asciitilde", "asciicircum", "less", "greater", "bar", "quotedbl")}


def rows(text):
    """Cells of each row of each tabular, once it is sure that braces, environments and formulas are closed."""
    text = re.sub(r"(?m)(?<!\\)%.*$", "", text)
    assert set(re.findall(r"\\([a-zA-Z]+)", text)) <= COMMANDS
    bare = re.sub(r"\\[^a-zA-Z]", "", text)
    assert not set("#~^") & set(bare)
    assert "_" not in bare
    depth = 0
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    open_ = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if what == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert open_ == []
    for columns, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        lines = [re.split(r"(?<!\\)&", line) for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(line) for line in lines} == {len(columns)}
        yield [[cell.removesuffix(r"\\").strip() for cell in line] for line in lines]


def test_hostile_names_are_text(tmp_path, write_cell, answers):
    for frames in (8, 64):
        write_cell(tmp_path / HOSTILE, HOSTILE if frames == 64 else "none", frames, lines=answers(seed=frames))
    costs, scores = rows(latex_tables({HOSTILE: read_sweep(tmp_path / HOSTILE)}))
    assert sum(latex_text(HOSTILE) in row[0] for row in scores) == 2
    assert sum("measured" in row[0] for row in costs) == 2


def test_figures_are_the_papers_and_the_folders(sweep, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["table", "--latex", str(sweep)])
    assert table.main() == 0
    costs, scores = rows(capsys.readouterr().out)
    for row, (frames, known) in zip(costs[1:], paper.TABLE_1.items(), strict=False):
        assert row[1:3] == [str(frames), f"{known.kv_fp16:g}"]
        assert float(row[3]) == pytest.approx(known.kv_fp16, abs=0.06)  # the paper's rounding
        assert float(row[8]) == pytest.approx(known.total_fp16, abs=0.06)
        assert float(row[6]) > float(row[5])
    assert (costs[2][9:11], costs[3][11:]) == (["22.9", "22.9"], ["18.8", "18.8"])
    ours = {row[0]: row for row in scores if "made" in row[0]}
    assert len(ours) == 2
    for cell in read_sweep(sweep):
        if cell.kv_quant == "none":
            row = ours[latex_text(f"mini, flipbook, {cell.strategy}, strided (made_up)")]
            assert row[{8: 2, 32: 4}[cell.frames]].startswith(f"{100 * cell.metrics['accuracy']:.1f} [")
            assert row[-1].endswith("at 32")
    assert "no interval" in scores[1][-1]


def test_without_a_finished_cell_there_is_nothing_to_show(tmp_path, write_cell):
    write_cell(tmp_path, lines=ValueError("no"))
    with pytest.raises(BadInput, match="no cell is finished"):
        latex_tables({"none": read_sweep(tmp_path)})
