"""By which log-likelihood an option is the likeliest: its text's, that over its length, or its letter's."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.scorer.letters import Letters
from intpv.scorer.options import Options

OPTIONS: Sequence[str] = ("no", "perhaps", "yes, of course")
logliks = st.lists(st.floats(-50, -0.01), min_size=3, max_size=3)


@given(logliks)
def test_a_length_that_all_share_changes_nothing(loglik):
    alike = ["red", "sky", "sea"]
    assert Options(likelihood="per_character").likeliest(alike, loglik) == Options().likeliest(alike, loglik)


@given(logliks)
def test_per_character_is_the_highest_mean(loglik):
    means = {option: value / len(option) for option, value in zip(OPTIONS, loglik, strict=True)}
    assert means[Options(likelihood="per_character").likeliest(OPTIONS, loglik)] == max(means.values())


def test_letters_are_weighed_in_the_place_of_texts_and_stand_for_them():
    by_letter = Letters(likelihood="letter")
    assert list(by_letter.weighed(OPTIONS)) == ["A", "B", "C"]
    assert by_letter.likeliest(OPTIONS, [-3.0, -1.0, -2.0]) == "perhaps"
    assert Letters().weighed(OPTIONS) == OPTIONS
    assert by_letter.likeliest([], []) is None


def test_an_unknown_likelihood():
    with pytest.raises(BadInput, match=r"scorer.likelihood must be one of text, per_character, letter, got bytes"):
        Letters(likelihood="bytes")
