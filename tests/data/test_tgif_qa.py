"""TGIF-QA: the authors' file is separated by tabs, keys repeat, vid_id does not; Video-LLaVA's are two JSON files."""

from collections import Counter

import pytest

from intpv.data.item_check import check_items
from intpv.data.tgif_qa import TgifQa
from intpv.errors import BadInput

FILE = "Test_frameqa_question.csv"
HEADER = "gif_name\tquestion\tanswer\ttype\tvid_id\tkey\tdescription\n"
ROW = 'tumblr_a\twhat is "it, really ?\tcookie\t0\tFRAMEQA1\t7\ta cookie .\n'


def test_the_same_key_twice_and_gifs(write):
    root = write(
        {FILE: HEADER + ROW.replace('"', "") + ROW.replace("QA1", "QA2").replace('"', "")}, ("mp4/tumblr_a.gif",)
    )
    (item,) = TgifQa(root, questions=FILE).items()
    assert item.path.endswith("mp4/tumblr_a.gif")
    assert [question.id for question in item.questions] == ["FRAMEQA1", "FRAMEQA2"]
    assert item.questions[0].kind == "object"


def test_video_llavas_files(write, caplog):
    asked = {"video_name": "tumblr_a", "question": "what is it ?", "question_id": "FRAMEQA1"}
    root = write({"test_q.json": [asked], "test_a.json": [{"answer": "cookie", "question_id": "FRAMEQA1"}]})
    (item,) = TgifQa(root).items()
    assert item.path == f"{root}/mp4/tumblr_a.mp4"
    assert (item.questions[0].kind, item.questions[0].answer) == ("what", "cookie")
    assert "has 1 questions, TGIF-QA FrameQA has 13,691 as published" in caplog.text
    with pytest.raises(BadInput, match=r"data.questions must be test_q.json or end in .csv, got val_q.json"):
        TgifQa(root, questions="val_q.json")


def test_a_lone_quotation_mark_is_one_of_the_text(write):
    (item,) = TgifQa(write({FILE: HEADER + ROW + ROW.replace("QA1", "QA2")}), questions=FILE).items()
    assert item.questions[1].text == 'what is "it, really ?'


def test_commas_are_another_file(write):
    with pytest.raises(
        BadInput, match=r"question.csv, line 1: must have the columns gif_name.*separated by tabs, got a"
    ):
        TgifQa(write({FILE: "a,b\n"}), questions=FILE).items()


def test_an_id_twice(write):
    with pytest.raises(BadInput, match=r"line 3: vid_id must be another than in line 2, got FRAMEQA1"):
        TgifQa(write({FILE: HEADER + ROW + ROW}), questions=FILE).items()


def test_the_published_file(published, caplog, floor_of):
    items = TgifQa(published({FILE: "tgif_Test_frameqa_question.csv"}), questions=FILE).items()
    assert "as published" not in caplog.text
    assert len(items) == 7132
    kinds = Counter(question.kind for item in items for question in item.questions)
    assert kinds == {"object": 5586, "number": 3148, "color": 3904, "location": 1053}
    check_items(items, "tgif_qa", closed=False)
    assert floor_of(items) == 0.339
