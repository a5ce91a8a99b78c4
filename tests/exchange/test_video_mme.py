"""Video-MME: the template's keys per video and question; what has no response has failed."""

import json

import pytest

from intpv.errors import BadInput
from intpv.exchange.video_mme import read, write

LABELS = {"regime": "short", "domain": "Knowledge", "sub_category": "Law"}  # as data=videomme gives them
OF_VIDEO = {"video_id", "duration", "domain", "sub_category", "questions"}


def test_round_trip(lines, facts, tmp_path, kept):
    given = [line for line in lines(labels=LABELS) if line["prediction"]]
    (file,) = write(given, facts, tmp_path)
    videos = json.loads(file.read_text())
    assert videos[0].keys() == OF_VIDEO
    assert {video["duration"] for video in videos} == {"short"}  # by which the official script groups
    question = videos[0]["questions"][0]
    assert question.keys() == {"question_id", "task_type", "question", "options", "answer", "response"}
    assert question["answer"] == "A"
    without = ("correct", "valid")
    assert kept(read(file).samples, *without) == kept(given, *without)


def test_the_templates_own_ids_where_they_are_known(lines, facts, tmp_path):
    first, second, *_ = lines()
    named = [
        {**line, "labels": {"duration": "long", "video_id": "001", "question_id": f"001-{number}"}}  # of their files
        for number, line in enumerate((first, second), 1)
    ]
    (video,) = json.loads(write(named, facts, tmp_path)[0].read_text())
    assert (video["video_id"], video["duration"]) == ("001", "long")
    assert [question["question_id"] for question in video["questions"]] == ["001-1", "001-2"]


def test_without_a_response_a_question_failed(lines, facts, tmp_path):
    failed = read(write(lines(), facts, tmp_path)[0]).samples[-1]
    assert (failed["prediction"], failed["error"]) == (None, "no response in the file")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({}, "must hold a list of objects, got a dict"),
        ([{"video_id": "1"}], "entry 1: must have the field questions"),
        (
            [{"video_id": "1", "questions": [{"question_id": "1"}]}],
            "entry 1, question 1: must have the field options",
        ),
    ],
)
def test_bad_files(tmp_path, content, line):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(BadInput) as refused:
        read(tmp_path / "a.json")
    assert line in str(refused.value)
