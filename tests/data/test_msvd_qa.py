"""MSVD-QA: questions join their answers by id, and what is wrong names file, entry and field."""

import pytest

from intpv.data.item_check import check_items
from intpv.data.msvd_qa import MsvdQa
from intpv.errors import BadInput

QUESTIONS = [
    {"video_name": "klFyrnrUSck_87_100", "question": "who is cooking?", "question_id": "v_klFyrnrUSck_87_100_6"},
    {"video_name": "other_1_2", "question": "what is a man doing?", "question_id": "v_other_1_2_0"},
    {"video_name": "klFyrnrUSck_87_100", "question": "is it a dog?", "question_id": "v_klFyrnrUSck_87_100_7"},
]
ANSWERS = [{"answer": word, "question_id": one["question_id"]} for word, one in zip("abc", QUESTIONS, strict=True)]


def test_joined_by_id_whatever_the_order(write, caplog):
    root = write({"test_q.json": QUESTIONS, "test_a.json": ANSWERS[::-1]}, ("videos/klFyrnrUSck_87_100.mkv",))
    first, second = items = MsvdQa(root).items()
    assert first.path == f"{root}/videos/klFyrnrUSck_87_100.mkv"
    assert second.path == f"{root}/videos/other_1_2.avi"
    assert [(one.id[-1], one.kind, one.answer) for one in first.questions] == [("6", "who", "a"), ("7", "other", "c")]
    assert "test_q.json has 3 questions, MSVD-QA has 13,157 as published" in caplog.text
    assert "1 of 2 videos are not there" in caplog.text
    assert "other_1_2.avi" in caplog.text
    check_items(items, "msvd_qa", closed=False)
    assert MsvdQa(root, kinds=["what"]).items()[0].id == "other_1_2"
    assert MsvdQa(root, limit=1).items() == items[:1]


@pytest.mark.parametrize(
    ("questions", "answers", "message"),
    [
        (QUESTIONS, ANSWERS[:2], r"test_q.json, entry 3: question_id must be one of .*test_a.json, got v_kl"),
        (QUESTIONS[:2], ANSWERS, r"test_a.json, entry 3: question_id must be one of .*test_q.json, got v_kl"),
        (
            QUESTIONS,
            [ANSWERS[0], *ANSWERS],
            r"test_a.json, entry 2: question_id must be another than in entry 1, got v",
        ),
        (QUESTIONS, [{"pred": "a"}], r"test_a.json, entry 1: must have the field question_id, got pred"),
        ({"a": 1}, ANSWERS, r"test_q.json: must hold a list, got a dict"),
        ([], [], r"test_q.json: must hold at least 1 question of MSVD-QA, got 0"),
        ('[{"a": 1},\n', ANSWERS, r"test_q.json, line 2: must be JSON"),
    ],
)
def test_what_is_wrong_is_one_line(write, questions, answers, message):
    with pytest.raises(BadInput, match=message) as refused:
        MsvdQa(write({"test_q.json": questions, "test_a.json": answers})).items()
    assert len(str(refused.value).splitlines()) == 1


def test_a_folder_without_it(tmp_path):
    with pytest.raises(BadInput, match=r"data.root: .*test_a.json cannot be read"):
        MsvdQa(str(tmp_path)).items()


def test_a_split_that_there_is_none_of():
    with pytest.raises(BadInput, match=r"data.split of MSVD-QA must be one of test, got val"):
        MsvdQa(split="val")
