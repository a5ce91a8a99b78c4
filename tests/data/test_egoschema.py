"""EgoSchema: only questions with a public answer are asked."""

import json

import pytest

from intpv.data.egoschema import EgoSchema
from intpv.data.item_check import check_items
from intpv.errors import BadInput

from .conftest import SHARED

OPTIONS = {f"option {index}": f"he does {index}" for index in range(5)}


def _questions(*ids):
    return [{"q_uid": one, "google_drive_id": "x", "question": "Why?", **OPTIONS} for one in ids]


def test_the_subset(write, caplog):
    root = write({"questions.json": _questions("u", "v"), "subset_answers.json": {"v": 3}})
    (item,) = EgoSchema(root).items()
    assert (item.id, item.path) == ("v", f"{root}/videos/v.mp4")
    assert item.questions[0].answer == "he does 3"
    assert "has 1 questions, EgoSchema has 500 as published" in caplog.text
    check_items([item], "egoschema", closed=True)


def test_all_questions_for_a_submission(write, caplog):
    root = write({"questions.json": _questions("u", "v"), "subset_answers.json": {"v": 3}})
    first, second = items = EgoSchema(root, split="full").items()
    assert (first.questions[0].answer, second.questions[0].answer) == ("", "he does 3")
    assert first.questions[0].text == second.questions[0].text
    assert "1 questions have no public answer and count as wrong" in caplog.text
    assert "has 2 questions, EgoSchema has 5,031 as published" in caplog.text
    check_items(items, "egoschema", closed=True)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"w": 1}, r"subset_answers.json: q_uid must be one of .*questions.json, got w"),
        ({"v": 5}, r"subset_answers.json, key v: answer must be a whole number from 0 to 4, got 5"),
        ([], r"subset_answers.json: must hold a dict, got a list"),
        ('{"v": 1, "v": 2}', r"subset_answers.json: every key must be there once, got v twice"),
    ],
)
def test_answers_of_another_file(write, answers, message):
    with pytest.raises(BadInput, match=message):
        EgoSchema(write({"questions.json": _questions("v"), "subset_answers.json": answers})).items()


def test_the_published_answers(published, write, caplog):
    root = published({"subset_answers.json": "egoschema_subset_answers.json"})
    ids = json.loads((SHARED / "egoschema_subset_answers.json").read_text())
    write({"questions.json": _questions(*ids, "unanswered")})
    assert len(EgoSchema(root).items()) == 500
    assert "as published" not in caplog.text
