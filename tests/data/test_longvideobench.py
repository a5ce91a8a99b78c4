"""LongVideoBench: the answer is an index from 0, the seconds' group a label."""

import pytest

from intpv.data.item_check import check_items
from intpv.data.longvideobench import LongVideoBench
from intpv.errors import BadInput

ENTRY = {
    "video_id": "86CxyhFV9MI",
    "id": "86CxyhFV9MI_0",
    "video_path": "86CxyhFV9MI.mp4",
    "subtitle_path": "86CxyhFV9MI_en.json",
    "question": "What?",
    "candidates": ["red", "green", "blue", "white"],
    "correct_choice": 2,
    "duration": 20.5,
    "duration_group": 60,
    "question_category": "S2E",
    "topic_category": "NP-News-Programs",
    "level": "L1-Perception",
    "starting_timestamp_for_subtitles": 0,
}


def test_a_question(write, caplog):
    root = write({"lvb_val.json": [ENTRY]})
    (item,) = items = LongVideoBench(root).items()
    assert item.path == f"{root}/videos/86CxyhFV9MI.mp4"
    (question,) = item.questions
    assert (question.id, question.kind, question.answer) == ("86CxyhFV9MI_0", "S2E", "blue")
    assert question.labels["regime"] == "60s"
    assert "has 1 questions, LongVideoBench has 1,337 as published" in caplog.text
    check_items(items, "longvideobench", closed=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correct_choice": 4}, "correct_choice must be a whole number from 0 to 3, got 4"),
        ({"correct_choice": True}, "correct_choice must be a whole number from 0 to 3, got true"),
        ({"duration_group": 30}, "duration_group must be one of 15, 60, 600, 3600, got 30"),
        ({"candidates": "red"}, "candidates must be a list of at least two texts, got red"),
    ],
)
def test_what_is_wrong(write, changes, message):
    with pytest.raises(BadInput, match=rf"lvb_val.json, entry 1: {message}"):
        LongVideoBench(write({"lvb_val.json": [ENTRY | changes]})).items()
