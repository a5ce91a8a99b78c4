"""Pareto: the front against every pair compared, and a figure and a table that show it."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

from analysis.pareto import append_fronts, front
from analysis.pareto_figure import draw_pareto
from analysis.runs import read_sweep
from analysis.style import GREY, STRATEGIES

POINTS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(POINTS)
def test_the_front_is_what_none_beats_each_pair_compared(points):
    def is_beaten(point):
        return any(cost <= point[0] and score >= point[1] and (cost, score) != point for cost, score in points)

    chosen = [points[index] for index in front(points)]
    assert chosen == sorted({point for point in points if not is_beaten(point)})


def with_flops(sweep):
    for file in sweep.glob("*/metrics.json"):
        metrics = json.loads(file.read_text())
        flops = {"cost/tower_flops": 1e9 * metrics["frames"], "cost/prefill_flops": 3e9 * metrics["frames"]}
        file.write_text(json.dumps(metrics | flops))
    return read_sweep(sweep)


@pytest.mark.slow
def test_every_cost_has_a_panel_for_each_regime_and_the_front_its_line(sweep, monkeypatch):
    drawn, save_figure = [], Figure.savefig

    def keep(figure, *given, **options):
        drawn.append(figure)
        return save_figure(figure, *given, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    path = draw_pareto(with_flops(sweep), sweep / "pareto.png")
    image = imread(path)[..., :3]
    assert image.shape[1] == 1200
    for option in ("none", "yarn"):
        assert (abs(image - to_rgb(STRATEGIES[option].color)).max(axis=-1) < 0.01).sum() > 100
    axes = drawn[0].axes
    assert [axis.get_xlabel().partition(" (")[0] for axis in axes] == sorted(
        2 * ["KV prefix", "arithmetic", "time"], key=["KV prefix", "arithmetic", "time"].index
    )
    for axis in axes:
        steps = [line for line in axis.lines if line.get_drawstyle() == "steps-post" and line.get_color() == GREY]
        heights = steps[0].get_ydata()
        assert all(before <= after for before, after in pairwise(heights))
        scores = [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "None"]
        assert max(heights) == max(scores)


def test_a_cost_that_nobody_measured_has_no_panel(sweep):
    cells = read_sweep(sweep)
    append_fronts(cells, sweep / "table.md")
    text = (sweep / "table.md").read_text(encoding="utf-8")
    assert "arithmetic" not in text
    assert "| slow | KV prefix |" in text
    assert draw_pareto(cells, sweep / "pareto.png")


def test_one_cell_has_no_front(tmp_path, write_cell, answers):
    write_cell(tmp_path, lines=answers())
    cells = read_sweep(tmp_path)
    append_fronts(cells, tmp_path / "table.md")
    assert draw_pareto(cells, tmp_path / "pareto.png") is None
    assert not (tmp_path / "table.md").exists()
