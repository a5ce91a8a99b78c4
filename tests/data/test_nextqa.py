"""NExT-QA: the mapping gives paths, and options that repeat are kept and labelled."""

import pytest

from intpv.data.item_check import check_items
from intpv.data.nextqa import NextQa
from intpv.errors import BadInput

HEADER = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
ROW = "29,369,640,480,how,{answer},{qid},{type},{options}\n"
MAP = {"29": "0101/29"}


def _file(answer=1, qid=6, type="CH", options="a,b,c,d,e", times=1):
    return {
        "test.csv": HEADER + times * ROW.format(answer=answer, qid=qid, type=type, options=options),
        "map_vid_vidorID.json": MAP,
    }


def test_a_question(write):
    root = write(_file())
    (item,) = NextQa(root, "NExTVideo").items()
    assert (item.id, item.path) == ("0101--29", f"{root}/NExTVideo/0101/29.mp4")
    (question,) = item.questions
    assert question.text == "how\nA. a\nB. b\nC. c\nD. d\nE. e"
    assert (question.id, question.kind, question.answer) == ("29/6", "CH", "b")
    assert question.labels == {"group": "causal"}


@pytest.mark.parametrize(
    ("options", "fault"), [("a,b,b,d,e", "the right option twice"), ("a,b,c,c,e", "a wrong option")]
)
def test_repeated_options_are_kept(write, caplog, options, fault):
    (item,) = NextQa(write(_file(options=options))).items()
    assert fault in item.questions[0].labels["fault"]
    assert f"1 questions of {item.path.partition('/videos')[0]}/test.csv with {fault}" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer": 5}, "line 2: answer must be a whole number from 0 to 4, got 5"),
        ({"type": "XX"}, "line 2: type must be one of CW, .* got XX"),
        ({"times": 2}, "line 3: video and qid must be others than in line 2, got 29/6"),
        ({"options": "a,b"}, "line 2: must have 13 columns, got 10"),
    ],
)
def test_what_is_wrong(write, changes, message):
    with pytest.raises(BadInput, match=rf"test\.csv, {message}"):
        NextQa(write(_file(**changes))).items()


def test_a_video_that_the_mapping_lacks(write):
    with pytest.raises(BadInput, match=r"test.csv, line 2: video must be one of .*map_vid_vidorID.json, got 29"):
        NextQa(write(_file() | {"map_vid_vidorID.json": {}})).items()


def test_the_published_files(published, caplog):
    names = {"val.csv": "nextqa_val.csv", "map_vid_vidorID.json": "nextqa_map_vid_vidorID.json"}
    items = NextQa(published(names), split="val").items()
    assert "as published" not in caplog.text
    assert len(items) == 570
    faults = [q.labels["fault"] for item in items for q in item.questions if "fault" in q.labels]
    assert len(faults) == 3
    check_items(items, "nextqa", closed=True)
