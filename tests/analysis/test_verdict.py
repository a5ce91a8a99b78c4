"""The verdict: "nothing" only of intervals inside the margin in every kind, a loss only of those off 0."""

from analysis.verdict import MARGIN, NOTHING, UNTOLD, points, verdict

NOT_TOLD = UNTOLD.format(5, 90)


def row(kind="", mean=0.0, half=0.01, regime="slow", bare=False, trainings=()):
    """A line of differences.csv whose intervals are `half` to either side; `bare` has no 95 % interval."""
    low, high = (None, None) if bare else (mean - half, mean + half)
    ends = {"ci95_low": low, "ci95_high": high, "low": mean - half, "high": mean + half}
    counts = {"videos": 60, "questions": 90, "gained": 2, "lost": 3}
    return {"regime": regime, "kind": kind, "mean": mean, **counts, **ends, "trainings": list(trainings)}


def test_nothing_takes_every_kind():
    inside = [row(), row("when"), row("order", bare=True)]
    assert verdict(inside) == NOTHING
    for wide in (row("count", half=MARGIN), row("count", half=0.03, bare=True), row("count", 0.015)):
        assert verdict([*inside, wide]) == NOT_TOLD


def test_a_mean_near_0_does_not_hide_the_kind_that_is_lost():
    rows = [row(mean=-0.012, half=0.009), row("when", -0.093, 0.055), row("order", 0.001)]
    assert verdict(rows) == "loses slow when -9.3 [-14.8, -3.8]"


def test_no_kind_is_told_but_all_together_are():
    rows = [row(mean=-0.03, half=0.01), row("when", -0.03, 0.05), row("order", -0.03, 0.05)]
    assert verdict(rows) == "loses slow questions -3.0 [-4.0, -2.0]"


def test_of_many_kinds_the_largest_losses_are_named():
    rows = [row(), *(row(f"kind{number}", -0.1 * number) for number in (1, 3, 2, 5, 4))]
    said = verdict(rows)
    assert said.startswith("loses slow kind5 -50.0 [-51.0, -49.0], slow kind4")
    assert said.endswith(" and 2 more")


def test_a_narrow_bootstrap_of_few_answers_is_no_loss():
    few = {**row("when", -0.02, 0.015), "high": 0.001}
    assert verdict([row(), few]) == NOT_TOLD


def test_a_kind_that_every_video_loses_alike_is_lost():
    assert verdict([row("when", -1.0, 0.05, bare=True)]).startswith("loses slow when -100.0 ")


def test_a_loss_inside_the_margin_is_named_nothing_only_with_the_margin():
    assert verdict([row("when", -0.01, 0.005)]) == NOTHING
    assert "within 2 points" in NOTHING


def test_an_interval_of_90_percent_says_so():
    assert points(row(mean=0.01)) == "1.0 [0.0, 2.0]"
    assert points(row(bare=True)) == "0.0 [-1.0, 1.0] (90 %)"


def test_what_is_not_known_is_not_told_apart_and_the_answers_that_differ_are_counted():
    assert verdict([row(half=0.5), row("when", half=0.5), row(half=0.5, regime="fast")]) == UNTOLD.format(10, 180)
    assert verdict([]) == UNTOLD.format(0, 0)


def test_a_loss_that_one_training_does_not_show_is_not_told():
    assert verdict([row("when", -0.1, trainings=(-0.2, 0.0, -0.1))]) == UNTOLD.format(0, 0)
    assert verdict([row("when", -0.1, trainings=(-0.2, -0.01, -0.1))]) == "loses slow when -10.0 [-11.0, -9.0]"
