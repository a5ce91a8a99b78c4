"""lmms-eval's rule: its proven faults are repeated, its draw of a letter too, and that is right once in five."""

from types import SimpleNamespace

import pytest

from intpv.errors import BadInput
from intpv.scorer.letters import named_option
from intpv.scorer.lmms_eval import LmmsEval, last_named

OPTIONS = ("a red ball", "blue", "green", "grey", "none")


@pytest.mark.parametrize(
    ("prediction", "place"), [("B", 1), ("(B)", 1), ("B.", 1), ("B. blue", 1), ("The answer is (C).", 2)]
)
def test_what_both_read_alike(prediction, place):
    assert last_named(prediction, OPTIONS) == place
    assert named_option(prediction, OPTIONS) == OPTIONS[place]


@pytest.mark.parametrize(
    ("prediction", "theirs", "ours"),
    [
        ("A man in red", 0, None),
        ("A or B", 1, None),
        ("SAME", 4, None),  # a letter before a space, whatever stands before it
        ("(A) or (C)", 2, None),
        ("He throws a red ball over there", 0, None),
        ("blue", None, "blue"),  # drawn: in five words or fewer no text is looked for
        ("", None, None),
    ],
)
def test_faults(prediction, theirs, ours):
    assert last_named(prediction, OPTIONS) == theirs
    assert named_option(prediction, OPTIONS) == ours


def test_what_names_nothing_is_guessed_the_same_way_every_time():
    question = SimpleNamespace(answer="blue", options=OPTIONS)
    scores = [LmmsEval().score(f"who knows {number}", question) for number in range(2000)]
    assert scores == [LmmsEval().score(f"who knows {number}", question) for number in range(2000)]
    assert all(score.valid for score in scores)
    assert sum(score.correct for score in scores) / 2000 == pytest.approx(1 / 5, abs=0.03)  # 3.4 standard errors
    other = [LmmsEval(seed=1).score(f"who knows {number}", question) for number in range(2000)]
    assert other != scores


@pytest.mark.parametrize(("fields", "line"), [({"likelihood": "leter"}, "got leter"), ({"seed": -1}, "scorer.seed")])
def test_bad_fields(fields, line):
    with pytest.raises(BadInput, match=line):
        LmmsEval(**fields)
