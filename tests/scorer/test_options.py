"""Options: what is forgiven in a spelling, and what is not."""

from pathlib import Path

import pytest
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from intpv.flipbook.question import OPTIONS, Question
from intpv.scorer.options import Options, normalised
from intpv.scorer.scorer import Score, Scorer

CONF = Path(__file__).parents[2] / "conf" / "scorer"


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_option_of_the_group_is_a_scorer(path):
    scorer = instantiate(OmegaConf.load(path))
    assert isinstance(scorer, Scorer)
    assert type(scorer).__module__ == f"intpv.scorer.{path.stem}"


def asked(answer="yes", kind="presence"):
    return Question(kind, "?", answer)


@pytest.mark.parametrize("prediction", ["yes", " Yes", "YES.", "yes \n", "yes!", "Yes .\n"])
def test_forgives_case_space_and_stops(prediction):
    assert Options().score(prediction, asked()) == Score(correct=True, valid=True)


@pytest.mark.parametrize("prediction", ["", ".", "yes no", "yes, it did", "ye s", "y", "red"])
def test_anything_else_is_no_answer(prediction):
    assert Options().score(prediction, asked()) == Score(correct=False, valid=False)


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_answer_alone_is_correct_and_every_option_valid(kind):
    for answer in OPTIONS[kind]:
        scores = {option: Options().score(option, asked(answer, kind)) for option in OPTIONS[kind]}
        assert all(score.valid for score in scores.values())
        assert [option for option, score in scores.items() if score.correct] == [answer]


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalised(normalised(text)) == normalised(text)


@given(st.text(), st.sampled_from(OPTIONS["first"]))
def test_correct_answers_are_valid(prediction, answer):
    score = Options().score(prediction, asked(answer, "first"))
    assert score.valid or not score.correct


def test_inner_space_is_one_space_and_a_plus_is_no_stop():
    assert normalised("a  man\twalks ") == "a man walks"
    assert normalised("c++") != normalised("c")
