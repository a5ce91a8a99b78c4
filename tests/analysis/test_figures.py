"""Figures of a sweep: a column wide, as PNG and PDF, every line with its look, none where there is nothing."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

from analysis.accuracy_figure import draw_accuracy
from analysis.distance_figure import SMALLEST, draw_distance
from analysis.kv_figure import draw_kv
from analysis.page import WIDTH, size
from analysis.runs import read_sweep
from analysis.style import STRATEGIES, shades

ROOT = Path(__file__).parents[2]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    found = []
    save = Figure.savefig

    def keep(figure, *given, **options):
        found.append(figure)
        return save(figure, *given, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return found


def pixels_of(path, color):
    image = imread(path)[..., :3]
    return int((abs(image - to_rgb(color)).max(axis=-1) < 0.01).sum())


def lines_of(axis):
    """Those with markers: the strategies'."""
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def test_accuracy_shows_every_strategy_in_its_look(sweep, drawn):
    path = draw_accuracy(read_sweep(sweep), sweep / "accuracy.png")
    assert imread(path).shape[1] == 1200
    for option in ("none", "yarn"):
        term, color, marker = STRATEGIES[option]
        assert pixels_of(path, color) > 500
        for axis in drawn[0].axes:
            line = lines_of(axis)[term]
            assert (line.get_color(), line.get_marker()) == (color, marker)
    assert not pixels_of(path, STRATEGIES["ntk"].color)


def test_kv_shows_every_number_of_frames_in_shades_of_the_strategy(sweep):
    path = draw_kv(read_sweep(sweep), sweep / "kv.png")
    assert imread(path).shape[1] == 1200
    assert min(pixels_of(path, shade) for shade in shades(STRATEGIES["none"].color, 2)) > 500  # 8 and 32 frames
    assert not any(pixels_of(path, STRATEGIES[other].color) for other in ("linear", "yarn", "visual_only"))


def test_points_stand_at_their_true_frames_and_ticks_at_powers_of_two(tmp_path, write_cell, answers, drawn):
    for frames in (8, 24, 48):
        for rope in ("none", "yarn"):
            write_cell(tmp_path, rope, frames, lines=answers())
    draw_accuracy(read_sweep(tmp_path), tmp_path / "accuracy.png")
    for axis in drawn[0].axes:
        for term in ("no scaling", "YaRN"):
            assert list(lines_of(axis)[term].get_xdata()) == [8, 24, 48]
        assert axis.get_xscale() == "log"
        assert [tick.get_text() for tick in axis.get_xticklabels()] == ["8", "16", "32", "64"]


def test_bands_are_the_intervals_and_lines_have_no_error_bars(sweep, drawn):
    cells = read_sweep(sweep)
    draw_accuracy(cells, sweep / "accuracy.png")
    bands = [one for one in drawn[0].axes[0].collections if isinstance(one, PolyCollection)]
    assert len(drawn[0].axes[0].collections) == len(bands) == 2
    ends = {
        100 * cell.metrics[f"slow/accuracy_ci95_{end}"] for cell in cells for end in ("low", "high") if cell.metrics
    }
    for band in bands:
        assert band.get_alpha() < 0.3
        heights = {round(float(y), 6) for y in band.get_paths()[0].vertices[:, 1]}
        assert heights <= {round(end, 6) for end in ends}


@pytest.mark.slow
def test_words_and_legend_lie_outside_of_the_data_and_inside_of_the_page(sweep, drawn):
    cells = read_sweep(sweep)
    many = [replace(cell, variant=f"my_option={place}") for place in range(6) for cell in cells]
    for given in (cells, many):
        draw_accuracy(sorted(given, key=lambda cell: cell.strategy), sweep / "accuracy.png")
        draw_kv(given, sweep / "kv.png")
    assert len(drawn) == 8
    for figure in drawn:
        assert figure.get_figwidth() == WIDTH
        (legend,) = figure.legends
        boxes = [axis.get_tightbbox() for axis in figure.axes]
        for box in (legend.get_window_extent(), figure._suptitle.get_window_extent()):
            assert not any(box.overlaps(other) for other in boxes)
        for box in (*boxes, legend.get_window_extent(), figure._suptitle.get_window_extent()):
            assert min(box.x0, box.y0) >= -1
            assert box.x1 <= figure.bbox.x1 + 1
            assert box.y1 <= figure.bbox.y1 + 1
        assert min(text.get_fontsize() for text in legend.get_texts()) >= 6


@pytest.mark.slow
def test_the_same_data_gives_the_same_files(sweep):
    """In another process with other hashes of texts, at another time."""
    program = "import sys, analysis.summary as s; s.summarise_sweep(sys.argv[1])"
    written = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-c", program, str(sweep)], cwd=ROOT, env=environment, check=True, timeout=120)
        written.append(
            [(sweep / f"{name}.{end}").read_bytes() for name in ("accuracy", "kv") for end in ("png", "pdf")]
        )
    assert written[0] == written[1]
    for pdf in written[0][1::2]:
        assert b"/FontFile2" in pdf  # TrueType, in the file
        assert b"/Type3" not in pdf
        assert not re.search(rb"/(Creation|Mod)Date", pdf)


def test_two_orders_share_the_figure(tmp_path, write_cell, answers, drawn):
    for order in ("contiguous", "strided"):
        for frames in (8, 16):
            write_cell(tmp_path, "none", frames, lines=answers(), rearranger=order)
    assert draw_accuracy(read_sweep(tmp_path), tmp_path / "accuracy.png").exists()
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()][:3] == ["no scaling", "contiguous", "strided"]
    assert len({line.get_linestyle() for line in drawn[0].axes[0].lines if line.get_marker() == "o"}) == 2


def test_one_video_without_regime_intervals_or_bounds_is_drawn(tmp_path, write_cell, answers, drawn):
    unbounded = {"ceiling": None, "blind": None}
    write_cell(tmp_path, lines=[{**one, **unbounded} for one in answers(videos=1, regimes=())])
    assert draw_accuracy(read_sweep(tmp_path), tmp_path / "accuracy.png").exists()
    assert not any("CI" in text.get_text() for text in drawn[0].legends[0].get_texts())


def test_nothing_done_gives_no_figure(tmp_path, write_cell):
    write_cell(tmp_path, lines=RuntimeError("no"))
    cells = read_sweep(tmp_path)
    assert draw_accuracy(cells, tmp_path / "accuracy.png") is draw_kv(cells, tmp_path / "kv.png") is None
    assert not [*tmp_path.glob("*.png"), *tmp_path.glob("*.pdf")]


def test_one_kv_level_gives_no_kv_figure(tmp_path, write_cell, answers):
    for frames in (8, 16):
        write_cell(tmp_path, "yarn", frames, lines=answers())
    assert draw_kv(read_sweep(tmp_path), tmp_path / "kv.png") is None


def test_size_counts_videos_and_questions(tmp_path, write_cell, answers):
    write_cell(tmp_path, lines=answers(videos=20))
    assert size(read_sweep(tmp_path), "slow") == "10 videos × 4 questions"


@pytest.mark.slow
def test_how_far_quantisation_moves_is_drawn_where_it_was_measured(tmp_path, write_cell, answers, drawn):
    for number, (rope, frames, kv) in enumerate(product(("ntk", "yarn"), (8, 32), ("none", "int4", "int2"))):
        folder = write_cell(tmp_path / "sweep", rope, frames, kv, answers(0.8))
        if (rope, frames) == ("yarn", 32):
            continue  # a cell that measured nothing
        kl = {f"attention_kl/{name}/mean": number * 1e-3 for name in ("local/all", "end_to_end/all", "answer_kl")}
        flips = {"flips/right_to_wrong": 0.01 * number, "flips/wrong_to_right": 0.02, "attention_kl/videos": 10}
        file = folder / "metrics.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | kl | flips))
    cells = read_sweep(tmp_path / "sweep")
    path = draw_distance(cells, tmp_path / "distance.png")
    assert path is not None
    (figure,) = set(drawn)
    for axis in figure.axes:
        lines = [line for line in axis.lines if len(line.get_xdata())]
        assert len(lines) == 4  # two strategies, two levels; what is not quantised is the reference
        assert sorted(len(line.get_xdata()) for line in lines) == [1, 1, 2, 2]
        shown = sorted(value for line in lines for value in line.get_ydata())
        if axis.get_title() == "answers flipped":
            assert shown == pytest.approx(sorted(100 * (0.01 * number + 0.02) for number in (1, 2, 4, 5, 7, 8)))
        else:
            assert shown == pytest.approx(sorted(number * 1e-3 for number in (1, 2, 4, 5, 7, 8)))
    assert "10 videos" in figure.get_suptitle().replace("\n", " ")


def test_no_distance_is_no_figure_and_none_at_all_stays_on_the_axis(sweep, tmp_path, write_cell, answers, drawn):
    assert draw_distance(read_sweep(sweep), tmp_path / "distance.png") is None
    folder = write_cell(tmp_path / "sweep", "yarn", 8, "int8", answers(0.8))
    kl = {f"attention_kl/{name}/mean": 0.0 for name in ("local/all", "end_to_end/all", "answer_kl")}
    file = folder / "metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | kl | {"attention_kl/videos": 2}))
    assert draw_distance(read_sweep(tmp_path / "sweep"), tmp_path / "distance.png")
    assert {tuple(line.get_ydata()) for axis in drawn[0].axes for line in axis.lines} == {(SMALLEST,), (0.0,)}
