"""Question lines: order of keys, round trip, what is kept of an interrupted run."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.record.samples import KEYS, complete, parse, to_line


def test_a_line_keeps_the_order_of_keys_and_comes_back(lines):
    (record,) = lines("a", 1)
    line = to_line({"zeta": 1, "alpha": 2} | dict(reversed(record.items())))
    assert list(json.loads(line)) == [*KEYS, "alpha", "zeta"]
    assert parse(line.encode()) == [record | {"alpha": 2, "zeta": 1}]
    assert "grün" in line


@given(st.text())
def test_any_text_is_one_line(text):
    record = dict.fromkeys(KEYS) | {"id": "1", "video": "a", "question": text}
    line = to_line(record)
    assert line.count("\n") == 1
    assert parse(line.encode("utf-8", "surrogatepass")) in ([record], [])  # a lone surrogate is no text


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


def test_partly_and_doubly_written_videos_are_dropped(lines):
    records = [*lines("whole"), *lines("partly")[:2], *lines("twice"), *lines("twice"), *lines("unknown")]
    kept = complete(records, {"whole": 3, "partly": 3, "twice": 3})
    assert {record["video"] for record in kept} == {"whole"}
    assert len(kept) == 3
