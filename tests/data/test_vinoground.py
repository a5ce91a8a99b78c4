"""Vinoground: ids repeat in its two files, a pair's four questions share a label."""

import pytest

from intpv.data.item_check import check_items
from intpv.data.vinoground import Vinoground
from intpv.errors import BadInput


def _entries(folder, *names, answer="A"):
    return [{"idx": name, "question": "Which?", "GT": answer, "video_name": f"{folder}/{name}.mp4"} for name in names]


def _files(**changes):
    return {f"vinoground_{kind}score.json": _entries(kind, "0_pos", "0_neg", **changes) for kind in ("text", "video")}


def test_the_four_questions_of_a_pair(write, caplog):
    root = write(_files(), ("text/0_pos.mp4", "video/0_pos.mp4"))
    items = Vinoground(root).items()
    assert len(items) == 4
    assert [item.id for item in items] == ["text--0_pos", "text--0_neg", "video--0_pos", "video--0_neg"]
    assert items[0].path == f"{root}/text/0_pos.mp4"
    questions = [question for item in items for question in item.questions]
    assert [question.id for question in questions][::2] == ["text/0_pos", "video/0_pos"]
    assert [question.labels for question in questions][:2] == [{"pair": 0, "side": "pos"}, {"pair": 0, "side": "neg"}]
    assert "has 4 questions, Vinoground has 2,000 as published" in caplog.text
    assert "2 of 4 videos are not there" in caplog.text
    check_items(items, "vinoground", closed=True)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (_files(answer="C"), "entry 1: GT must be A or B, got C"),
        ({"vinoground_textscore.json": _entries("v", "0")}, "entry 1: idx must be as 0_pos or 0_neg, got 0"),
        (
            {"vinoground_textscore.json": _entries("v", "0_pos", "0_pos")},
            "entry 2: idx must be another than in entry 1",
        ),
    ],
)
def test_what_is_wrong(write, files, message):
    with pytest.raises(BadInput, match=message):
        Vinoground(write(files)).items()
