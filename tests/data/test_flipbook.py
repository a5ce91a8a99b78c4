"""flipbook as a run meets it: files, ids that never change, and bounds for the frames that were shown."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from intpv.data.flipbook import Flipbook
from intpv.errors import BadInput
from intpv.video.reader import VideoReader
from intpv.video.sampling import midpoint


def test_regimes_take_turns_and_a_limit_takes_the_first(flipbook):
    items = flipbook.items()
    assert [item.id for item in items] == ["slow-000", "fast-000", "slow-001", "fast-001"]
    assert replace(flipbook, limit=3).items() == items[:3]
    assert replace(flipbook, regimes=["fast"], limit=2).items() == items[1::2]


def test_the_whole_benchmark_is_120_clips_and_a_shorter_one_its_beginning(flipbook):
    whole = Flipbook(flipbook.root)
    assert whole.limit is None
    assert whole.videos * len(whole.regimes) == 120
    more = replace(flipbook, limit=None, videos=6).clips
    assert len(more) == 12
    assert list(more.values())[:4] == list(flipbook.clips.values())


def test_files_are_read_by_the_ordinary_path(flipbook):
    for item in flipbook.items():
        video = VideoReader().read(item.path, 8)
        assert video.frames.shape == (8, 3, 96, 96)
        assert video.num_available == 256


def test_files_are_written_once_and_only_where_missing(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    one = Flipbook(str(tmp_path), limit=2)
    paths = [Path(item.path) for item in one.items()]
    written = [path.stat().st_mtime_ns for path in paths]
    paths[1].unlink()
    Flipbook(str(tmp_path), limit=2).items()
    assert paths[0].stat().st_mtime_ns == written[0]
    assert paths[1].exists()
    assert len(caplog.messages) == 2  # one line each time something is written
    one.items()
    assert len(caplog.messages) == 2


def test_another_seed_is_another_folder(tmp_path):
    first, second = (Flipbook(str(tmp_path), seed=seed, limit=1).items()[0] for seed in (0, 1))
    assert first.id == second.id
    assert first.path != second.path
    assert Path(first.path).read_bytes() != Path(second.path).read_bytes()


def test_runs_at_the_same_time_share_the_folder(tmp_path, flipbook):
    with ThreadPoolExecutor(4) as pool:
        lists = list(pool.map(lambda _: Flipbook(str(tmp_path), limit=2).items(), range(4)))
    assert all(items == lists[0] for items in lists)
    for item, reference in zip(lists[0], flipbook.items(), strict=False):
        assert Path(item.path).read_bytes() == Path(reference.path).read_bytes()
    assert len(list(Path(lists[0][0].path).parent.iterdir())) == 2


def test_the_home_folder_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Flipbook("~/clips").folder.parent == tmp_path / "clips"


def test_ids_texts_and_labels_do_not_depend_on_the_frames_shown(flipbook):
    before = flipbook.items()
    for frames in (8, 64):
        flipbook.bounds(before[0], midpoint(256, frames))
    assert flipbook.items() == before
    ids = [question.id for item in before for question in item.questions]
    assert len(set(ids)) == 40
    assert ids[2] == "slow-000/2-count"


def test_labels_are_json_and_name_the_regime_and_the_duration(flipbook):
    for item in flipbook.items():
        for question in item.questions:
            assert json.loads(json.dumps(question.labels)) == question.labels
            assert question.labels["regime"] == item.id.split("-")[0] == item.labels["regime"]
            unseen = question.kind == "presence" and question.answer == "no"
            assert (question.labels["duration"] is None) == unseen
            assert question.answer in question.options


def test_bounds_follow_the_frames_that_were_shown(flipbook):
    slow, fast, *_ = flipbook.items()
    for item in (slow, fast):
        few, many = (flipbook.bounds(item, midpoint(256, frames)) for frames in (8, 64))
        for question, at_few, at_many in zip(item.questions, few, many, strict=True):
            assert at_few["blind"] == at_many["blind"] <= at_few["ceiling"] <= 1
            assert (at_few["labels"]["footprint"] or 0) <= (at_many["labels"]["footprint"] or 0)
            assert (at_few["labels"]["footprint"] is None) == (question.labels["duration"] is None)
    assert all(bound["ceiling"] == 1 for bound in flipbook.bounds(slow, midpoint(256, 8)))
    assert json.loads(json.dumps(flipbook.bounds(fast, midpoint(256, 8))))


def test_without_a_frame_nobody_can_do_better_than_guess(flipbook):
    bounds = [bound for item in flipbook.items() for bound in flipbook.bounds(item, ())]
    assert all(bound["ceiling"] == bound["blind"] > 0 for bound in bounds)


def test_a_frame_shown_twice_counts_twice_and_tells_nothing_more(flipbook):
    item, once = flipbook.items()[1], midpoint(256, 16)
    twice = [t for t in once for _ in (0, 1)]
    for one, two in zip(flipbook.bounds(item, once), flipbook.bounds(item, twice), strict=True):
        assert one["ceiling"] == two["ceiling"]
        assert two["labels"]["footprint"] == (one["labels"]["footprint"] and 2 * one["labels"]["footprint"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regimes": ["slow", "quick"]}, "slow, fast.*quick"),
        ({"regimes": "slow"}, "list out of slow, fast.*slow"),
        ({"regimes": []}, "slow, fast"),
        ({"limit": 0}, "at least 1.*got 0"),
        ({"videos": 0}, "at least 1.*got 0"),
        ({"seed": -1}, "data.seed must be a whole number of at least 0, got -1"),
    ],
)
def test_bad_options_are_named_with_what_is_possible(options, message):
    with pytest.raises(BadInput, match=message):
        Flipbook(**options)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"data.root: .*file.* cannot be written"):
        Flipbook(str(tmp_path / "file"), limit=1).items()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_calibration_never_sees_a_clip_of_any_test_split(flipbook, seed):
    """Streams differ in the first word of every seed, so scenes do whatever the other seeds are."""
    apart = flipbook.calibration(12)
    assert len(apart.clips) == 12
    mine = replace(flipbook, seed=seed, videos=12, limit=24)
    assert {clip.scene for clip in apart.clips.values()}.isdisjoint(clip.scene for clip in mine.clips.values())
    assert apart.split not in (flipbook.split, mine.split)
    assert apart.folder not in (flipbook.folder, mine.folder)
    assert replace(apart, limit=2).split == apart.split  # nothing leads back


def test_more_calibration_clips_begin_with_the_fewer(flipbook):
    few, many = flipbook.calibration(3), flipbook.calibration(8)
    assert list(many.clips.values())[:3] == list(few.clips.values())
