"""The confusion matrix of positions against counting by hand, and its figures against their definitions."""

import numpy as np
import pytest

from intpv.metrics.when import confusion, when

EIGHTHS = list("12345678")


@pytest.fixture(scope="module")
def placed(line):
    """(true, said) pairs -> lines; said None is a question that failed."""

    def make(pairs):
        lines = []
        for index, (true, said) in enumerate(pairs):
            failed = {"error": "no frames"} if said is None else {}
            about = {"kind": "when", "options": EIGHTHS, "answer": true, "prediction": said, **failed}
            lines.append(line(f"v{index}/0", **about, correct=said == true))
        return lines

    return make


def test_every_valid_answer_is_counted_once_in_its_place(placed):
    rng = np.random.default_rng(0)
    pairs = [(str(true), str(said)) for true, said in rng.integers(1, 9, (200, 2))]
    counts = confusion(placed(pairs))
    assert counts.shape == (8, 8)
    assert all(counts[i, j] == pairs.count((str(i + 1), str(j + 1))) for i in range(8) for j in range(8))
    figures = when(placed(pairs))
    true, said = np.array(pairs).astype(int).T
    assert figures["when/exact"] == pytest.approx((true == said).mean())
    assert figures["when/within_one"] == pytest.approx((abs(true - said) <= 1).mean())
    assert figures["when/signed_error"] == pytest.approx((said - true).mean())


def test_always_right_is_the_diagonal_and_backwards_the_other_one(placed):
    right, back = [(one, one) for one in EIGHTHS], [(one, str(9 - int(one))) for one in EIGHTHS]
    assert (confusion(placed(right)) == np.eye(8)).all()
    assert (confusion(placed(back)) == np.eye(8)[::-1]).all()
    assert when(placed(right))["when/exact"] == 1
    assert when(placed(back))["when/signed_error"] == 0


def test_answers_outside_the_options_and_failures_are_told_apart_from_errors_in_time(placed):
    figures = when(placed([("1", "1."), ("2", "soon"), ("3", None), ("4", "6")]))
    assert figures["when/questions"] == 4
    assert figures["when/valid"] == 0.5
    assert figures["when/exact"] == 0.5
    assert figures["when/signed_error"] == 1
    assert when(placed([("2", "soon")])) == {"when/questions": 1, "when/valid": 0}


def test_other_kinds_leave_no_trace(line):
    assert when([line()]) == {}
    assert confusion([line()]).size == 0
