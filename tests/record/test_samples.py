"""Question lines: order of keys, round trip, what is kept of an interrupted run."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.record.samples import KEYS, complete, parse, strange, to_line


def test_a_line_keeps_the_order_of_keys_and_comes_back(lines):
    (record,) = lines("a", 1)
    line = to_line({"zeta": 1, "alpha": 2} | dict(reversed(record.items())))
    assert list(json.loads(line)) == [*KEYS, "alpha", "zeta"]
    assert parse(line.encode()) == [record | {"alpha": 2, "zeta": 1}]
    assert "grün" in line


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=())))
def test_any_text_is_one_line(text):
    record = dict.fromkeys(KEYS) | {"id": "1", "video": "a", "question": text}
    line = to_line(record)
    assert line.count("\n") == 1
    assert parse(line.encode()) == [record]  # a lone surrogate too, which a file name may hold


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ceiling": float("nan")}, "question a/0 cannot be written as JSON"),
        ({"labels": {1, 2}}, "question a/0 cannot be written as JSON"),
        ({"id": 7}, "id must be a string, got 7"),
        ({"video": None}, "video must be a string, got None"),
    ],
)
def test_what_is_no_record_is_refused(lines, change, message):
    with pytest.raises(ValueError, match=message):
        to_line(lines("a", 1)[0] | change)


def test_missing_keys_are_named(lines):
    record = lines("a", 1)[0]
    del record["answer"], record["valid"]
    with pytest.raises(ValueError, match=r"question a/0 lacks answer, valid"):
        to_line(record)


def test_wherever_the_file_is_torn_whole_lines_survive(lines):
    content = "".join(map(to_line, lines("a", 2))).encode()
    first = content.index(b"\n")
    for length in range(len(content)):
        assert len(parse(content[:length])) == (length >= first) + (length >= len(content) - 1)


def test_of_a_video_all_questions_count_and_each_once(lines):
    ids = {video: [f"{video}/{i}" for i in range(3)] for video in ("whole", "partly", "twice", "torn", "renamed")}
    written_twice = [*lines("twice"), *lines("twice"), *lines("torn"), *lines("torn")[:1]]
    renamed = [record | {"id": f"other{i}"} for i, record in enumerate(lines("renamed"))]
    kept = complete([*lines("whole"), *lines("partly")[:2], *written_twice, *renamed, *lines("unknown")], ids)
    assert sorted(record["id"] for record in kept) == sorted([*ids["whole"], *ids["twice"], *ids["torn"]])


def test_two_answers_to_one_question_are_none(lines):
    other = lines("a")[0] | {"prediction": "grün"}
    assert complete([*lines("a"), other], {"a": ["a/0", "a/1", "a/2"]}) == []


@pytest.mark.parametrize(
    "spoilt", [b"[1, 2]", b"7", b"null", b'{"id": "x"}', b"\xff\x00\xfe", b"[" * 100_000, b'{"id": NaN}']
)
def test_what_is_no_answer_is_left_out_and_counted(lines, spoilt):
    content = "".join(map(to_line, lines("a"))).encode()
    spoilt_content = content + spoilt + b"\n" + content
    assert parse(spoilt_content) == [*lines("a"), *lines("a")]
    assert (strange(content), strange(spoilt_content), strange(content[:-9])) == (0, 1, 0)
