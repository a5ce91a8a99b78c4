"""MVBench: of five tasks a part of the video is shown, and two parts of one file are two videos."""

import pytest

from intpv.data.item_check import check_items
from intpv.data.mvbench import PER_TASK, TASKS, MvBench
from intpv.errors import BadInput


def _entry(video="a.mp4", **more):
    return {"video": video, "question": "What?", "candidates": ["red", "blue"], "answer": "blue", **more}


def test_parts_of_one_file_are_apart(write, caplog):
    entries = [_entry(start=0.5, end=2), _entry(start=2, end=3), _entry(start=0.5, end=2)]
    root = write({"json/action_sequence.json": entries}, ("video/star/Charades_v1_480/a.mp4",))
    first, second = items = MvBench(root, "video", kinds=["action_sequence"]).items()
    assert first.path == second.path == f"{root}/video/star/Charades_v1_480/a.mp4"
    assert (first.clip, second.clip) == ((0.5, 2), (2, 3))
    assert [len(item.questions) for item in items] == [2, 1]
    assert "has 3 questions, MVBench has 200 as published" in caplog.text
    assert "are not there" not in caplog.text
    check_items(items, "mvbench", closed=True)


def test_start_and_end_of_other_tasks_are_not_obeyed(write):
    (item,) = MvBench(
        write({"json/scene_transition.json": [_entry(start=1, end=2)]}), kinds=["scene_transition"]
    ).items()
    assert item.clip is None


def test_folders_of_frames_are_read_as_a_video_beside_them(write):
    entry = _entry("s01/castle_01", start=0, end=4)
    root = write({"json/episodic_reasoning.json": [entry]}, ("video/tvqa/frames_fps3_hq/s01/castle_01.mp4",))
    (item,) = MvBench(root, "video", kinds=["episodic_reasoning"]).items()
    assert item.path == f"{root}/video/tvqa/frames_fps3_hq/s01/castle_01.mp4"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": 2}, r"must have the field start, got video, question"),
        ({"start": 3, "end": 2}, r"start and end must be seconds .*, got \[3, 2\]"),
        ({"start": "1", "end": 2}, r"start and end must be seconds"),
    ],
)
def test_what_is_wrong(write, changes, message):
    root = write({"json/action_sequence.json": [_entry(**changes)]})
    with pytest.raises(BadInput, match=f"action_sequence.json, entry 1: {message}"):
        MvBench(root, kinds=["action_sequence"]).items()


def test_an_unknown_task():
    with pytest.raises(BadInput, match=r"data.kinds must be out of action_sequence, .*, got pose"):
        MvBench(kinds=["pose"]).items()


def test_the_counts_of_the_tasks_are_that_of_the_whole():
    assert MvBench.counts["test"] == 4000 == PER_TASK * len(TASKS)
