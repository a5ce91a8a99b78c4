"""Verdicts: every form that judges were found to reply in is read; what says neither or both is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.scorer.judge.verdict import JudgeVerdict, parse_verdict


@pytest.mark.parametrize(
    ("reply", "correct", "score"),
    [
        ('{"pred": "yes", "score": 4}', True, 4),
        ('```json\n{"pred": "No", "score": 0}\n```', False, 0),
        ('Sure! {"pred": "yes", "score": 5} I hope that helps.', True, 5),
        ("{'pred': 'yes', 'score': 4}", True, 4),  # as Video-ChatGPT asks for it
        ("yes, 4", True, 4),  # this one and the next three: lmms-eval's parse_score reads nothing
        ("{'pred': yes, 'score': 4}", True, 4),
        ("{'pred': 'yes', 'score': '4.8'}", True, 4.8),
        ("{'pred': True, 'score': 4}", True, 4),
        ('{"Pred": "Yes.", "Score": "3"}', True, 3),
        ("**pred:** no\n**score:** 1", False, 1),
        ("Yes.", True, None),
        ("No (score: 2/5)", False, 2),
        ('{"pred": "yes", "score": 4', True, 4),  # cut off
        ('{"result": {"pred": "no", "score": 0}}', False, 0),
        ('<think>pred: no, or rather {"pred": "no"}</think>{"pred": "yes", "score": 4}', True, 4),
        ('{"pred": "yes", "score": 9}', True, None),
        ('{"pred": "yes", "score": NaN}', True, None),
        ('{"pred": "yes", "score": true}', True, None),
        ('{"pred": "yes", "score": 4} {"pred": "yes", "score": 4}', True, 4),
    ],
)
def test_forms(reply, correct, score):
    assert parse_verdict(reply) == JudgeVerdict(correct, score)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "4",
        "yes or no",
        "{'pred': 'maybe', 'score': 3}",
        '{"pred": "yes", "score": 4} {"pred": "no", "score": 0}',
        "pred: yes, although pred: no",
        "The predicted answer is correct, yes.",
        "no-one",
        '{"score": 4}',
        "<think>pred: yes",
        "[" * 30_000,
        '{"a":' * 9_000,
    ],
)
def test_what_says_neither_or_both_is_none(reply):
    assert parse_verdict(reply) is None


@given(st.text(), st.sampled_from(["yes", "no"]), st.integers(0, 5))
def test_json_is_read_whatever_stands_before_it(before, word, score):
    text = before.replace("{", "").replace("<", "") + json.dumps({"pred": word, "score": score})
    assert parse_verdict(text) == JudgeVerdict(word == "yes", score)


@given(st.text("{}'\"predscoyn:, 0123456789.<>/think\n"))
def test_nothing_fails(reply):
    verdict = parse_verdict(reply)
    assert verdict is None or verdict.score is None or 0 <= verdict.score <= 5


def test_contradictions_are_counted_and_pred_decides():
    found = [JudgeVerdict(word, score) for word in (True, False) for score in (0, 1, 2, 3, 4, 5, None)]
    assert [one.contradictory for one in found] == [True, True] + [False] * 9 + [True, True, False]
