"""The table of each training: its skill is that of its own cells, its spread numpy's, and one training has none."""

from itertools import product

import numpy as np

from analysis.runs import read_sweep
from analysis.seeds import over_seeds
from analysis.trainings import append_trainings
from intpv.metrics.cell import summarise


def test_skills_are_those_of_each_training_alone(tmp_path, write_cell, answers):
    made = {training: answers(0.6 + 0.15 * training, seed=training, regimes=("slow",)) for training in (0, 1, 2)}
    for training, frames in product(made, (8, 32)):
        write_cell(tmp_path, "none", frames, lines=made[training], seeds=(0, 0, training))
    page = tmp_path / "table.md"
    append_trainings(over_seeds(read_sweep(tmp_path)), page)
    header, _, *rows = [
        [text.strip() for text in line.strip("|").split("|")]
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    assert header[4:] == ["slow 0", "slow 1", "slow 2", "slow ±"]
    skills = [100 * summarise(lines)["slow/skill"] for lines in made.values()]
    assert len(rows) == 2
    for row in rows:
        assert [float(text.split()[0]) for text in row[4:7]] == [round(skill, 1) for skill in skills]
        assert float(row[7]) == round(float(np.std(skills, ddof=1)), 1)


def test_nothing_of_one_training(tmp_path, write_cell, answers):
    for split in (1, 2):
        write_cell(tmp_path, "none", 8, lines=answers(0.9, seed=split), seeds=(0, split))
    append_trainings(over_seeds(read_sweep(tmp_path)), tmp_path / "table.md")
    assert not (tmp_path / "table.md").exists()
