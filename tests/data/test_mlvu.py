"""MLVU: answers that are no candidate, candidates that repeat and empty ones are kept, labelled and warned of."""

import pytest

from intpv.data.item_check import check_items
from intpv.data.mlvu import TASKS, Mlvu
from intpv.errors import BadInput


def _entry(answer="1", candidates=("2", "1", "5", "4"), kind="count", video="count_1.mp4", question="How often?"):
    of_video = {"video": video, "duration": 572.8, "question": question}
    return {**of_video, "candidates": list(candidates), "answer": answer, "question_type": kind}


def test_a_task_alone(write):
    root = write({"json/4_count.json": [_entry(), _entry(video="count_2.mp4")]})
    first, second = Mlvu(
        root, "video", kinds=["count"], prompt="Q: {question}\n{options}", option="({letter}) {option}"
    ).items()
    assert first.path == f"{root}/video/4_count/count_1.mp4"
    assert (first.id, second.questions[0].id) == ("4_count--count_1", "4_count/1")
    assert first.questions[0].text == "Q: How often?\n(A) 2\n(B) 1\n(C) 5\n(D) 4"


@pytest.mark.parametrize(
    ("answer", "candidates", "fault"),
    [
        ("7", ("2", "1"), "an answer that is none of its options"),
        ("1", ("2", "1", "1"), "the right option twice"),
        ("1", ("2", "1", "2"), "a wrong option twice"),
        ("", ("", "", "", ""), "an empty option"),
    ],
)
def test_faults_of_the_files_are_survived(write, caplog, answer, candidates, fault):
    items = Mlvu(write({"json/4_count.json": [_entry(answer, candidates)]}), kinds=["count"]).items()
    assert items[0].questions[0].labels == {"fault": fault}
    assert fault in caplog.text
    check_items(items, "mlvu", closed=True)


def test_an_empty_question_is_asked_too(write, caplog):
    entry = _entry("", ("", "", "", ""), question="")  # entry 27 of 7_topic_reasoning.json
    items = Mlvu(write({"json/4_count.json": [entry]}), kinds=["count"]).items()
    assert items[0].questions[0].labels == {"fault": "an empty question"}
    assert "1 questions" in caplog.text
    check_items(items, "mlvu", closed=True)


def test_every_task_has_to_be_there(write):
    with pytest.raises(BadInput, match=r"json/1_plotQA.json cannot be read"):
        Mlvu(write({"json/4_count.json": [_entry()]})).items()
    with pytest.raises(BadInput, match=r"data.kinds must be out of plotQA, .*got needle"):
        Mlvu(kinds=["needle"]).items()


def test_a_file_of_another_task(write):
    with pytest.raises(BadInput, match=r"4_count.json, entry 1: question_type must be count, got order"):
        Mlvu(write({"json/4_count.json": [_entry(kind="order")]}), kinds=["count"]).items()


def test_the_published_files(published, caplog):
    files = {f"json/{stem}.json": f"mlvu_{stem}.json" for stem in ("1_plotQA", "4_count")}
    items = Mlvu(published(files), kinds=["plotQA", "count"]).items()
    assert "as published" not in caplog.text
    assert sum(len(item.questions) for item in items) == 539 + 206
    check_items(items, "mlvu", closed=True)


def test_the_counts_of_the_tasks_are_that_of_the_whole():
    assert Mlvu.counts["dev"] == 2175 == sum(count for _, count in TASKS.values())
