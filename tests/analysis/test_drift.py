"""Drift: a displacement that was put in comes back, by regime and training; a sweep without the question is refused."""

import re

from analysis import drift

PARTS = [str(part) for part in range(1, 9)]


def late(lines, by):
    """Questions in which part something was, every answer `by` parts off, or the last part that there is."""
    return [
        {**line, "kind": "when", "options": PARTS, "answer": "3", "prediction": str(3 + by), "correct": by == 0}
        for line in lines
    ]


def test_what_was_put_in_comes_back(tmp_path, write_cell, answers, run_verb):
    for order, by in (("strided", (0, 0)), ("contiguous", (1, 3))):
        for training in (0, 1):
            lines = late(answers(videos=10, seed=training), by[training])
            write_cell(tmp_path, "yarn", 32, lines=lines, rearranger=order, seeds=(0, 0, training))
    code, said, _ = run_verb(drift.main, tmp_path)
    assert (code, said.strip()) == (0, str(tmp_path / "drift.md"))
    page = (tmp_path / "drift.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert "slow mean error in parts" in rows[0]
    told = {row[0].strip("| "): row for row in rows[2:]}
    assert told["strided"][4:6] == ["100.0", "+0.00 {+0.00, +0.00}"]
    assert told["contiguous"][4] == "0.0"
    assert re.fullmatch(r"\+2\.00( \[.*\])? \{\+1\.00, \+3\.00\}", told["contiguous"][5])
    assert told["contiguous"][-1].strip(" |") == "–"  # no probe was measured


def test_answers_that_name_no_part_are_left_out(tmp_path, write_cell, answers, run_verb):
    lines = late(answers(videos=10), 1)
    for line in lines[::2]:
        line["prediction"] = "who knows"
    write_cell(tmp_path, "yarn", 32, lines=lines)
    assert run_verb(drift.main, tmp_path)[0] == 0
    assert "| +1.00 |" in (tmp_path / "drift.md").read_text()


def test_a_sweep_that_never_asked_is_refused(tmp_path, write_cell, answers, run_verb):
    write_cell(tmp_path, "yarn", 32, lines=answers(videos=4))
    code, _, error = run_verb(drift.main, tmp_path)
    assert code == 2
    assert "no finished cell has an answer that names a part of the video" in error
