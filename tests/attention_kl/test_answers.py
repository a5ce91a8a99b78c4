"""KL of first-token distributions against scipy; flips counted by hand."""

import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from intpv.attention_kl.report import answer_figures, answer_kl, flips, lost_answers
from intpv.attention_kl.sums import Listed
from intpv.data.benchmark import Question
from intpv.scorer.options import Options
from intpv.video_llm.asking import Answer


def test_scipy_agrees():
    p, r = torch.randn(2, 5, 30, generator=torch.Generator().manual_seed(0))
    want = entropy(softmax(p.double().numpy(), -1), softmax(r.double().numpy(), -1), axis=-1)
    assert answer_kl(p, r).numpy() == pytest.approx(want)
    assert not answer_kl(p, p + 3).round(decimals=9).any()


def test_flips():
    reference = [("red", True), ("red", False), ("red", False), ("red", False), ("red", True)]
    modified = [("blue", False), ("blue", True), ("blue", False), ("red", False), ("red", True)]
    found = {name: [i for i, one in enumerate(each) if one] for name, each in flips(reference, modified).items()}
    assert found == {"right_to_wrong": [0], "wrong_to_right": [1], "changed_wrong": [2]}
    assert not any(any(values) for values in flips(reference, reference).values())


def test_every_question_of_every_video_counts_alike():
    """Scored by the run's scorer; two videos together are as one with the questions of both."""
    questions = [Question(str(i), "first", "", ("red", "blue"), "red") for i in range(3)]
    reference, modified = (
        [Answer(text, (), 1.0, logits, ()) for text, logits in zip(said, torch.randn(3, 9), strict=True)]
        for said in (("Red.", "red", "blue"), ("blue", "RED", "red"))
    )
    whole = lost_answers(reference, modified, questions, Options())
    parts = [
        lost_answers(reference[part], modified[part], questions[part], Options()) for part in (slice(1), slice(1, 3))
    ]
    named = answer_figures(whole, "attention_kl", "flips")
    assert named == pytest.approx(answer_figures(Listed.together(parts), "attention_kl", "flips"))
    assert named["flips/right_to_wrong"] == named["flips/wrong_to_right"] == pytest.approx(1 / 3)
    assert named["flips/changed_wrong"] == 0
    assert 0 < named["attention_kl/answer_kl/median"] <= named["attention_kl/answer_kl/max"]


def test_the_same_answers_lose_nothing():
    answers = [Answer("red", (), 1.0, torch.randn(9), ())]
    question = Question("1", "first", "", ("red", "blue"), "red")
    lost = lost_answers(answers, answers, [question], Options())
    assert not any(value for value in answer_figures(lost, "attention_kl", "flips").values())
