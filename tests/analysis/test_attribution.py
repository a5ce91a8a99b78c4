"""Attribution of a loss to settings: shares add up, what is known is found, what is not comparable is refused."""

import csv
from itertools import product

import pytest

from analysis import attribution
from analysis.attribution import attributions
from analysis.runs import read_sweep
from intpv.errors import BadInput

SETTINGS = ("rope_strategy=yarn", "rearranger=strided")


def _chance(rope, order, frames):
    """Positions are worth 40 points and order 20, but nothing at the trained length."""
    return 0.9 if frames == 8 else 0.3 + 0.4 * (rope == "yarn") + 0.2 * (order == "strided")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers):
    folder = tmp_path_factory.mktemp("sweeps") / "plateau"
    for rope, order, frames, training in product(("none", "yarn"), ("contiguous", "strided"), (8, 32), (0, 1)):
        lines = answers(_chance(rope, order, frames), videos=60, seed=training)  # one draw for all combinations
        write_cell(folder, rope, frames, lines=lines, rearranger=order, seeds=(0, 0, training))
    return folder


@pytest.fixture(scope="module")
def found(sweep):
    return attributions(read_sweep(sweep), SETTINGS)


@pytest.mark.slow
def test_shares_and_what_is_left_are_the_whole_loss(found):
    for one in found:
        shares = [of["share"].value for of in one.settings.values()]
        assert sum(shares) + one.left.value == pytest.approx(one.loss.value)
        assert one.loss.value == pytest.approx(one.accuracies["baseline"] - one.accuracies["none set"])


def test_what_was_put_in_is_found_inside_its_interval(found):
    assert [(one.frames, one.regime) for one in found] == [(32, "slow"), (32, "fast")]
    for one in found:
        # of every answer a tenth is outside its options, whatever was known
        for setting, worth in (("rope_strategy=yarn", 0.36), ("rearranger=strided", 0.18)):
            for figure in one.settings[setting].values():
                assert figure.low < figure.value < figure.high
                assert figure.low - 0.05 < worth < figure.high + 0.05
                assert len(figure.trainings) == 2
                assert sum(figure.trainings) / 2 == pytest.approx(figure.value)
        (interaction,) = one.interactions.values()
        assert interaction.low - 0.05 < 0 < interaction.high + 0.05


def test_the_page_and_the_table_hold_the_same_figures(sweep, run_verb):
    code, said, _ = run_verb(attribution.main, sweep, *SETTINGS)
    assert code == 0
    page, table = (sweep / name for name in ("attribution.md", "attribution.csv"))
    assert said.split() == [str(page), str(table)]
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (2 * 3 + 1 + 2)  # settings, their interaction, left and loss
    for row in rows:
        assert f"{round(100 * float(row['value']), 1) + 0.0:+.1f}{' [' * bool(row['ci95_low'])}" in page.read_text()
    assert "## 32 frames slow" in page.read_text()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ([], "usage"),
        (["rope_strategy"], "KEY=VALUE, got rope_strategy"),
        (["rope_strategy=yarn"], "differ in none of rope_strategy: what is swept"),
        (["rope_strategy=ntk", "rearranger=strided"], "one of them ntk; it has ['none', 'yarn']"),
        ([*SETTINGS, "kv_quant=none"], "kv_quant must have two values"),
        ([*SETTINGS, "video.repeat=8"], "has no setting video.repeat"),
    ],
)
def test_what_does_not_fit_the_sweep_is_refused_in_one_line(sweep, run_verb, settings, says):
    code, _, error = run_verb(attribution.main, sweep, *settings)
    assert code == 2
    assert says in error
    assert error.count("\n") == 1


def test_a_missing_combination_and_a_missing_baseline_are_named(sweep):
    cells = read_sweep(sweep)
    lacking = [one for one in cells if (one.frames, one.rope_strategy, one.rearranger) != (32, "yarn", "strided")]
    with pytest.raises(BadInput, match="no finished cell of 32 frames with rope_strategy=yarn rearranger=strided"):
        attributions(lacking, SETTINGS)
    without = [one for one in cells if (one.frames, one.rope_strategy, one.rearranger) != (8, "none", "contiguous")]
    with pytest.raises(BadInput, match="no finished cell of 8 frames with none of"):
        attributions(without, SETTINGS)


def test_other_questions_in_one_cell_are_refused(sweep, write_cell, answers, tmp_path):
    for rope, order in product(("none", "yarn"), ("contiguous", "strided")):
        fewer = 20 if (rope, order) == ("yarn", "strided") else 30
        write_cell(tmp_path / "odd", rope, 32, lines=answers(0.5, videos=fewer), rearranger=order)
    with pytest.raises(BadInput, match="the set of questions"):
        attributions(read_sweep(tmp_path / "odd"), SETTINGS)
