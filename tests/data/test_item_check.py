"""A benchmark's items before any model is loaded: every fault is in one line, and sound items pass."""

import re
from copy import copy
from dataclasses import replace

import pytest

from intpv.data.benchmark import Question, VideoItem
from intpv.data.flipbook import Flipbook
from intpv.data.item_check import LONGEST_ID, SHOWN, check_items
from intpv.errors import BadInput


def _items(count: int = 2) -> list[VideoItem]:
    return [
        VideoItem(
            f"clip-{i}",
            f"/v/{i}.mp4",
            tuple(Question(f"clip-{i}/{q}", "kind", "What?", ("yes", "no"), "yes") for q in range(2)),
        )
        for i in range(count)
    ]


def _changed(one, **changes):
    """Past the types that only tests check: a benchmark of a user's may give anything."""
    changed = copy(one)
    for name, value in changes.items():
        object.__setattr__(changed, name, value)
    return changed


def _with(**changes) -> list[VideoItem]:
    """The second question of the first video changed."""
    first, *rest = _items()
    return [replace(first, questions=(first.questions[0], _changed(first.questions[1], **changes))), *rest]


def _refused(items: list[VideoItem], closed: bool = True) -> str:
    with pytest.raises(BadInput) as refused:
        check_items(items, "toy", closed)
    (line,) = str(refused.value).splitlines()
    assert line.isprintable()
    assert line.startswith("data=toy ")
    return line


def test_sound_items_pass(tmp_path):
    check_items(_items(), "toy", closed=True)
    check_items(Flipbook(root=str(tmp_path), videos=2).items(), "flipbook", closed=True)
    check_items(_with(text="Two lines,\n\x1b[31mred", labels={"a": [1, None]}), "toy", closed=True)


def test_no_videos():
    assert "at least 1 video, got 0" in _refused([])


@pytest.mark.parametrize("regime", ["when", "accuracy", "kv", "slow/er"])
def test_a_regime_whose_metrics_would_be_taken_for_others(regime):
    said = "with a label regime that has a / in it or is the beginning of a metric's name (1): clip-0"
    assert f"question {said}/1" in _refused(_with(labels={"regime": regime}))
    first, *rest = _items()
    assert f"video {said}" in _refused([replace(first, labels={"regime": regime}), *rest])
    check_items(_with(labels={"regime": "slow"}), "toy", closed=True)


PATHS = ["../x", "/etc/passwd", "a\\b", "C:\\x", "..", ".", "a/../b", "a/"]


@pytest.mark.parametrize(
    ("identity", "fault"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        (7, "is no text"),
        ("a\x1b[2J", "holds control characters"),
        ("a\nb", "holds control characters"),
        ("a\udc80", "holds a lone surrogate"),
        ("ü" * (LONGEST_ID // 2 + 1), "is longer than"),
        *((path, "is a path") for path in PATHS),
        ("a/b", "is a path"),
    ],
)
def test_ids_of_videos(identity, fault):
    items = _items()
    assert f"video id that {fault}" in _refused([_changed(items[0], id=identity), items[1]])


@pytest.mark.parametrize("identity", ["/etc/passwd", "../x", "a/../b", "C:\\x"])
def test_ids_of_questions_are_no_paths_either(identity):
    assert "question id that is a path (1): " in _refused(_with(id=identity))


def test_ids_twice():
    items = _items()
    line = _refused([items[0], replace(items[1], id="clip-0"), replace(items[0], id="clip-2")])
    assert re.search(
        r"has 3 faults .*video id twice or more \(1\): clip-0; question id twice or more \(2\): clip-0/0, clip-0/1",
        line,
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"options": ()}, "question without options"),
        ({"options": ("yes", " ")}, "question with an empty option"),
        ({"options": "yes"}, "question whose options are no list"),
        ({"answer": None}, "that is no text"),
        ({"text": "what\udc80"}, "question with a lone surrogate"),
        ({"options": ("yes", "\ud800")}, "question with a lone surrogate"),
        ({"kind": ""}, "question with an empty kind"),
        ({"kind": "a\x07"}, "question with an empty kind or control"),
        ({"labels": {"x": float("nan")}}, "labels that JSON cannot hold"),
        ({"labels": {"x": {1, 2}}}, "labels that JSON cannot hold"),
    ],
)
def test_questions(changes, fault):
    line = _refused(_with(**changes))
    assert fault in line
    assert line.endswith("clip-0/1")


def test_open_questions_are_sound_where_the_scorer_takes_them():
    check_items(_with(options=()), "toy", closed=False)


def test_videos_without_questions_or_a_path():
    items = _items()
    line = _refused([replace(items[0], questions=()), replace(items[1], path="a\0b")])
    assert "video without questions (1): clip-0" in line
    assert "video without a path that a file can have (1): clip-1" in line


def test_a_long_list_is_cut_and_counted():
    items = [replace(item, questions=()) for item in _items(300)]
    line = _refused(items)
    assert line.startswith("data=toy has 300 faults in its items: video without questions (300): clip-0, ")
    assert line.endswith(f"and {300 - SHOWN} more")
