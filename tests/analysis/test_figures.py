"""Figures: 1200 px wide, every line in its colour, and none where there is nothing to draw."""

from matplotlib.colors import to_rgb
from matplotlib.image import imread

from analysis.curves import draw_accuracy
from analysis.kv import draw_kv
from analysis.panels import COLORS, size
from analysis.runs import read_sweep


def pixels_of(path, color):
    image = imread(path)[..., :3]
    return int((abs(image - to_rgb(color)).max(axis=-1) < 0.01).sum())


def test_accuracy_shows_every_strategy(sweep):
    path = draw_accuracy(read_sweep(sweep), sweep / "accuracy.png")
    assert imread(path).shape[1] == 1200
    used = [pixels_of(path, color) for color in COLORS]
    assert min(used[:2]) > 500  # none and yarn; black is also the text's
    assert used[2:] == [0] * 5


def test_kv_shows_every_number_of_frames(sweep):
    path = draw_kv(read_sweep(sweep), sweep / "kv.png")
    assert imread(path).shape[1] == 1200
    used = [pixels_of(path, color) for color in COLORS]
    assert min(used[:2]) > 500  # 8 and 32 frames
    assert used[2:] == [0] * 5


def test_two_orders_share_the_figure(tmp_path, write_cell, answers):
    for order in ("contiguous", "strided"):
        for frames in (8, 16):
            write_cell(tmp_path, "none", frames, lines=answers(), rearranger=order)
    assert draw_accuracy(read_sweep(tmp_path), tmp_path / "accuracy.png").exists()


def test_one_video_without_regime_intervals_or_bounds_is_drawn(tmp_path, write_cell, answers):
    unbounded = {"ceiling": None, "blind": None}
    write_cell(tmp_path, lines=[{**one, **unbounded} for one in answers(videos=1, regimes=())])
    assert draw_accuracy(read_sweep(tmp_path), tmp_path / "accuracy.png").exists()


def test_nothing_done_gives_no_figure(tmp_path, write_cell):
    write_cell(tmp_path, lines=RuntimeError("no"))
    cells = read_sweep(tmp_path)
    assert draw_accuracy(cells, tmp_path / "accuracy.png") is draw_kv(cells, tmp_path / "kv.png") is None
    assert not list(tmp_path.glob("*.png"))


def test_one_kv_level_gives_no_kv_figure(tmp_path, write_cell, answers):
    for frames in (8, 16):
        write_cell(tmp_path, "yarn", frames, lines=answers())
    assert draw_kv(read_sweep(tmp_path), tmp_path / "kv.png") is None


def test_size_counts_videos_and_questions(tmp_path, write_cell, answers):
    write_cell(tmp_path, lines=answers(videos=20))
    assert size(read_sweep(tmp_path), "slow") == "10 videos x 4 questions"
