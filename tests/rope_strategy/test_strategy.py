"""The factor: auto in both windows, explicit, never below 1; and what is refused."""

from dataclasses import replace

import pytest

from intpv.errors import BadInput
from intpv.layout import Layout, Span
from intpv.rope_strategy.strategy import RopeStrategy, visual_reach

N, P, WINDOW = 8, 257, 4096  # Video-LLaVA: frames per pass, tokens per frame, Vicuna's window


def prefix(num_frames: int) -> Layout:
    return Layout((Span(35), *(Span(P, time=float(i)) for i in range(num_frames)), Span(1)))


@pytest.mark.parametrize(("num_frames", "factor"), [(8, 1.0), (16, 2.0), (32, 4.0), (64, 8.0), (24, 3.0)])
def test_auto_is_the_number_of_groups(num_frames, factor):
    assert RopeStrategy().resolve(prefix(num_frames), (N * P,), WINDOW) == factor


@pytest.mark.parametrize("num_frames", [8, 16, 32, 64])
@pytest.mark.parametrize("reserve_text", [0, 32, 100])
def test_auto_of_the_llm_window_counts_prefix_and_reserve(num_frames, reserve_text):
    strategy = RopeStrategy(window="llm", reserve_text=reserve_text)
    overfull = (35 + num_frames * P + 1 + reserve_text) / WINDOW
    assert strategy.resolve(prefix(num_frames), (N * P,), WINDOW) == max(1.0, overfull)


@pytest.mark.parametrize("window", ["visual", "llm"])
def test_never_below_one(window):
    assert RopeStrategy(window=window).resolve(prefix(1), (N * P,), WINDOW) == 1.0


@pytest.mark.parametrize("window", ["visual", "llm"])
def test_a_question_does_not_change_the_factor(window):
    strategy = RopeStrategy(window=window)
    alone, asked = (strategy.resolve(layout, (N * P,), WINDOW) for layout in (prefix(32), prefix(32).ask(500)))
    assert alone == asked


@pytest.mark.parametrize("factor", [1, 1.5, 4])
def test_explicit_factor_is_returned_as_it_is(factor):
    resolved = RopeStrategy(factor=factor).resolve(prefix(64), (N * P,), WINDOW)
    assert resolved == factor
    assert isinstance(resolved, float)


def test_trained_length_is_the_window_of_auto():
    assert RopeStrategy(window="visual").trained_length(prefix(32), (N * P,), WINDOW) == N * P
    assert RopeStrategy(window="llm").trained_length(prefix(32), (N * P,), WINDOW) == WINDOW


@pytest.mark.parametrize("factor", [0.5, 0, -2, float("nan"), float("inf"), "often"])
def test_refuses_factor(factor):
    with pytest.raises(BadInput, match=f"rope_strategy.factor must be at least 1 or auto, got {factor}"):
        RopeStrategy(factor=factor)


def test_refuses_unknown_window_and_lists_the_known():
    with pytest.raises(BadInput, match=r"rope_strategy\.window must be one of visual, llm, got audio"):
        RopeStrategy(window="audio")


def test_refuses_negative_reserve():
    with pytest.raises(BadInput, match=r"rope_strategy\.reserve_text must be a whole number of at least 0, got -1"):
        RopeStrategy(reserve_text=-1)


@pytest.mark.parametrize("window", ["visual", "llm"])
def test_refuses_an_empty_window_only_where_it_is_needed(window):
    empty = RopeStrategy(window=window)
    with pytest.raises(BadInput, match=f"rope_strategy.window={window} needs a window of at least 1 token, got 0"):
        empty.resolve(prefix(8), (0,), 0)
    assert replace(empty, factor=2).resolve(prefix(8), (0,), 0) == 2.0


def grids(slots: int, seconds_apart: int, moves: bool, grid=(2, 3)) -> Layout:
    """Slots told apart by their time, which counts seconds, or by where the sequence stands."""
    last = max(grid)
    shown = [
        Span(6, float(i), grid, late=0 if moves else i * seconds_apart, advance=last if moves or i + 1 == slots else 0)
        for i in range(slots)
    ]
    return Layout((Span(4), *shown, Span(2)))


@pytest.mark.parametrize("slots", [4, 8, 64])
def test_auto_counts_positions_of_the_axes_that_are_scaled(slots):
    """The judge: positions themselves, of the text behind the video and of the furthest token of it."""
    for layout, trained in ((grids(slots, 5, False), grids(4, 5, False)), (grids(slots, 5, True), grids(4, 5, True))):
        furthest = [
            max(positions[-1] - 5, positions[4:-2].max() - 4 + 1)
            for positions in (RopeStrategy().positions(one, 1.0)[0] for one in (layout, trained))
        ]
        expected = float(furthest[0] / furthest[1])
        assert RopeStrategy().resolve(layout, visual_reach(trained), WINDOW) == pytest.approx(max(1.0, expected))
        assert slots > 4 or expected == 1
    assert RopeStrategy(axes="height").resolve(grids(64, 5, False), visual_reach(grids(4, 5, False)), WINDOW) == 1


def test_the_same_seconds_in_more_frames_are_no_more_positions():
    few, many = grids(4, 16, False), grids(64, 1, False)
    assert RopeStrategy().resolve(many, visual_reach(few), WINDOW) == 64 / 49
    assert RopeStrategy().trained_length(many, visual_reach(few), WINDOW) == 49


@pytest.mark.parametrize("moves", [False, True])
def test_the_llm_window_counts_positions_too(moves):
    layout, strategy = grids(64, 3, moves), RopeStrategy(window="llm", reserve_text=10)
    furthest = RopeStrategy().positions(layout, 1.0)[0].max().item() + 1
    assert strategy.resolve(layout, (1, 1, 1), 40) == (furthest + 10) / 40
