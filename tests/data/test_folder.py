"""Folder: a file of questions becomes items, and whatever is wrong in it is one line with file, line and field."""

import json

import pytest

from intpv.data.folder import Folder
from intpv.data.item_check import check_items
from intpv.errors import BadInput

FULL = {
    "video": "a/cat.mp4",
    "question": "What?",
    "answer": "red",
    "options": ["red", "blue"],
    "kind": "colour",
    "id": "q1",
}
LEAST = {"video": "dog.mp4", "question": "Why?"}


def _folder(tmp_path, *lines, **fields) -> Folder:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (tmp_path / "questions.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return Folder(str(tmp_path), **fields)


def test_all_columns_and_the_least_of_them(tmp_path, caplog):
    cat, dog = _folder(tmp_path, FULL | {"place": "home"}, LEAST, LEAST, "").items()
    assert cat.path == str(tmp_path / "a/cat.mp4")
    (question,) = cat.questions
    assert (question.id, question.kind, question.answer, question.options) == ("q1", "colour", "red", ("red", "blue"))
    assert question.labels == {"place": "home"}
    assert [one.id for one in dog.questions] == ["dog.mp4/0", "dog.mp4/1"]
    assert "2 of 3 questions have no answer" in caplog.text
    assert f"data=folder: 2 of 2 videos are not there, as {tmp_path / 'a/cat.mp4'}" in caplog.text
    check_items([cat, dog], "folder", closed=False)


@pytest.mark.parametrize(("file", "between"), [("q.csv", ","), ("q.tsv", "\t")])
@pytest.mark.parametrize("options", ["red|blue", '[""red"", ""blue""]'])
def test_csv_is_jsonl(tmp_path, file, between, options):
    rows = [
        ["video", "question", "answer", "options", "kind", "id"],
        ["a/cat.mp4", "What?", "red", f'"{options}"', "colour", "q1"],
    ]
    (tmp_path / file).write_text("\ufeff" + "".join(between.join(row) + "\r\n" for row in rows), encoding="utf-8")
    assert Folder(str(tmp_path), file).items() == _folder(tmp_path, FULL).items()


def test_prompts_limit_and_kinds(tmp_path):
    given = {"choice_prompt": "{question}\n{options}", "prompt": "{question}!", "option": "({letter}) {option}"}
    items = _folder(tmp_path, FULL, LEAST, **given).items()
    assert [item.questions[0].text for item in items] == ["What?\n(A) red\n(B) blue", "Why?!"]
    assert _folder(tmp_path, FULL, LEAST, limit=1, **given).items() == items[:1]
    assert _folder(tmp_path, FULL, LEAST, kinds=["question"], **given).items() == items[1:]
    with pytest.raises(BadInput, match=r"data.kinds must be out of colour, question, .*, got size"):
        _folder(tmp_path, FULL, LEAST, kinds=["size"]).items()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"video": "a.mp4"}, r"line 2: must have the field question, got video"),
        (FULL | {"answer": "green", "id": "q2"}, r"line 2: answer must be one of its options, red, blue, got green"),
        (FULL, r"line 2: id must be another than in line 1, got q1"),
        (LEAST | {"video": "../a.mp4"}, r"line 2: video must be a path below data.root=.*, got ../a.mp4"),
        (LEAST | {"question": " "}, r"line 2: question must be a text, got nothing"),
        (LEAST | {"options": ["a", "a"]}, r"line 2: options must be texts that differ"),
        (LEAST | {"options": ["a"]}, r"line 2: options must be a list of at least two"),
        ('{"video": ', r"line 2: must be JSON \(Expecting value\)"),
        ("[1]", r"line 2: it must be an object"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, line, message):
    with pytest.raises(BadInput, match=rf"questions\.jsonl, {message}") as refused:
        _folder(tmp_path, FULL, line).items()
    assert len(str(refused.value).splitlines()) == 1


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(BadInput, match=r"data.root: .*questions.jsonl cannot be read \(No such file"):
        Folder(str(tmp_path)).items()
    (tmp_path / "q.csv").write_bytes("video,question\na,ä\n".encode("latin-1"))
    with pytest.raises(BadInput, match=r"q.csv, line 2: must be UTF-8, got the byte 0xe4"):
        Folder(str(tmp_path), "q.csv").items()
    (tmp_path / "t.csv").write_text("video\tquestion\na\tb\n")
    with pytest.raises(BadInput, match=r"t.csv, line 1: must have the columns video, question, separated by ','"):
        Folder(str(tmp_path), "t.csv").items()
    (tmp_path / "s.csv").write_text("video,question\na\n")
    with pytest.raises(BadInput, match=r"s.csv, line 2: must have 2 columns, got 1"):
        Folder(str(tmp_path), "s.csv").items()
    with pytest.raises(BadInput, match=r"must end in .jsonl, .csv or .tsv, got q.xlsx"):
        Folder(str(tmp_path), "q.xlsx").items()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "What?"}, r"data.prompt must hold \{question\} and no other braces"),
        ({"prompt": r"{question}\n"}, "must hold a newline, got a backslash"),
        ({"kinds": "colour"}, "must be null or a list of kinds"),
        ({"limit": 0}, "at least 1"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(BadInput, match=message):
        Folder(**fields)
