"""Every scorer keeps the laws of intpv/laws/scorer.py."""

import pytest

from intpv.check.finding import Wrong
from intpv.errors import BadInput
from intpv.laws import laws_of
from intpv.options import homes, option

FAULTY = ("lmms_eval", "vlmevalkit")  # on purpose: an option's text alone is not read
JUDGE = "llm_judge"
KEPT = sorted({*homes("scorer")} - {*FAULTY, JUDGE})
LAWS = [(name, law) for name in KEPT for law in laws_of("scorer", option("scorer", name))]


@pytest.mark.parametrize(("name", "law"), LAWS, ids=str)
def test_every_option_keeps_the_laws(name, law):
    assert law.judge()


@pytest.mark.parametrize("name", FAULTY)
def test_the_laws_find_the_faults_that_parity_repeats(name):
    right, *_ = laws_of("scorer", option("scorer", name))
    with pytest.raises(Wrong, match=r"for '\w+' is"):
        right.judge()


def test_a_judge_has_no_laws():
    with pytest.raises(BadInput, match="has no laws to check"):
        laws_of("scorer", option("scorer", JUDGE))
