"""The run folder: resume by video, one append, sorted at the end, atomic files."""

import json
import os
import re
import stat

import pytest
import torch

from intpv.errors import BadInput
from intpv.record import atomic
from intpv.record.run_folder import SCHEMA, RunFolder, State
from intpv.record.samples import to_line


def read(folder, name):
    return json.loads((folder.path / name).read_text())


def asked(videos: str, count: int = 3) -> dict[str, list[str]]:
    """The ids of each video's questions, as `lines` makes them."""
    return {video: [f"{video}/{i}" for i in range(count)] for video in videos}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "sweep" / "cell")


def test_a_run_from_start_to_end(folder, lines):
    assert folder.status() is None
    assert folder.open(asked("ba"), {"schema": 1}) == set()
    assert folder.status() == "running"
    folder.append(lines("b"))
    folder.append(lines("a"))
    assert folder.answered() == {"a", "b"}
    folder.finish({"skill": None, "accuracy": 0.5, "kv/bytes": torch.tensor(7)})

    assert folder.status() == "done"
    assert [record["id"] for record in folder.samples()] == ["a/0", "a/1", "a/2", "b/0", "b/1", "b/2"]
    assert list(read(folder, "metrics.json").items()) == [("accuracy", 0.5), ("kv/bytes", 7), ("skill", None)]
    assert read(folder, "environment.json") == {"schema": 1}
    assert {file.name for file in folder.path.iterdir()} == {
        "status.json",
        "samples.jsonl",
        "metrics.json",
        "environment.json",
    }


def test_a_folder_of_a_newer_schema_is_refused_untouched_and_one_without_any_is_read(folder, lines):
    folder.open(asked("a"))
    folder.append(lines("a"))
    status = folder.path / "status.json"
    stated = read(folder, "status.json")
    assert stated.pop("schema") == SCHEMA
    status.write_text(json.dumps(stated))
    assert RunFolder(folder.path).open(asked("a")) == {"a"}
    status.write_text(json.dumps({**stated, "schema": SCHEMA + 1}))
    before = {file: file.read_bytes() for file in folder.path.iterdir()}
    line = f"{status} is of schema {SCHEMA + 1}, this intpv knows {SCHEMA}: use a newer one"
    assert RunFolder(folder.path).state() == State("newer", line)
    with pytest.raises(BadInput, match=re.escape(line)):
        RunFolder(folder.path).open(asked("a"))
    assert {file: file.read_bytes() for file in folder.path.iterdir()} == before


@pytest.mark.parametrize("torn", [2, 40, 300])
def test_a_torn_video_is_asked_again(folder, lines, torn):
    expected = asked("ab")
    folder.open(expected)
    folder.append(lines("a"))
    folder.append(lines("b"))
    samples = folder.path / "samples.jsonl"
    samples.write_bytes(samples.read_bytes()[:-torn])

    again = RunFolder(folder.path)
    assert again.open(expected) == {"a"}
    assert samples.read_text() == "".join(sorted(map(to_line, lines("a")), reverse=True))
    again.append(lines("b"))
    again.finish({})
    assert len(again.samples()) == 6


def test_a_resumed_run_ends_with_the_same_file(tmp_path, lines):
    expected = asked("abc")
    straight, resumed = RunFolder(tmp_path / "straight"), RunFolder(tmp_path / "resumed")
    straight.open(expected)
    resumed.open(expected)
    for video in "abc":
        straight.append(lines(video))
    resumed.append(lines("c"))
    resumed.append(lines("a")[:1])  # killed here
    resumed = RunFolder(resumed.path)
    for video in sorted(set(expected) - resumed.open(expected)):
        resumed.append(lines(video))
    straight.finish({})
    resumed.finish({})
    assert (resumed.path / "samples.jsonl").read_bytes() == (straight.path / "samples.jsonl").read_bytes()


def test_opening_a_finished_cell_again_asks_nothing(folder, lines):
    folder.open(asked("a"))
    folder.append(lines("a"))
    folder.finish({"accuracy": 1.0})
    assert RunFolder(folder.path).open(asked("a")) == {"a"}
    assert not (folder.path / "metrics.json").exists()  # until it is finished again


def test_a_video_is_one_write(folder, lines, monkeypatch):
    folder.open(asked("a"))
    written = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: written.append(content) or write(file, content))
    folder.append(lines("a"))
    assert written == ["".join(map(to_line, lines("a"))).encode()]


def test_a_full_disk_leaves_no_part_of_a_video(folder, lines, monkeypatch):
    folder.open(asked("ab"))
    folder.append(lines("a"))
    before = (folder.path / "samples.jsonl").read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:50]))
    with pytest.raises(OSError, match=r"No space left on device.*samples\.jsonl"):
        folder.append(lines("b"))
    assert (folder.path / "samples.jsonl").read_bytes() == before
    assert folder.answered() == {"a"}


def test_an_append_is_one_new_video(folder, lines):
    folder.open(asked("ab"))
    folder.append(lines("a"))
    for records in ([], lines("a"), [*lines("b"), *lines("c")]):
        with pytest.raises(ValueError, match="one new video per append"):
            folder.append(records)
    with pytest.raises(ValueError, match="cannot be written"):
        folder.append([lines("b", 1)[0] | {"ceiling": float("inf")}])
    assert len(folder.samples()) == 3


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("shapes differ"), "failed"),
        (torch.OutOfMemoryError("tried to allocate"), "oom"),
        (MemoryError(), "oom"),
    ],
)
def test_a_failure_keeps_its_traceback_and_the_answers(folder, lines, error, status):
    folder.open(asked("ab"))
    folder.append(lines("a"))
    try:
        raise error
    except Exception as caught:
        folder.fail(caught)
    assert folder.status() == status
    described = read(folder, "status.json")["error"]
    assert described["type"] == type(error).__name__
    assert described["message"] == str(error)
    assert "test_run_folder.py" in described["traceback"]
    assert RunFolder(folder.path).open(asked("ab")) == {"a"}
    assert read(folder, "status.json")["error"] is None


def test_a_cell_may_fail_before_it_is_opened(folder):
    folder.fail(ValueError("no such model"))
    assert folder.status() == "failed"
    assert folder.open(asked("a")) == set()


@pytest.mark.parametrize("value", [float("nan"), {"order": 1}, [1, 2], "high"])
def test_metrics_are_flat_finite_numbers(folder, value):
    folder.open({})
    with pytest.raises(ValueError, match="metric accuracy must be a finite number"):
        folder.finish({"accuracy": value})
    assert folder.status() == "running"


def test_replacing_a_file_is_all_or_nothing(tmp_path, monkeypatch):
    file = tmp_path / "status.json"
    atomic.write_json(file, {"status": "running"})

    def fail(*paths):
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="killed"):
            atomic.write_json(file, {"status": "done"})
    assert json.loads(file.read_text()) == {"status": "running"}
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(file, {"status": float("nan")})
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002, 0o027])
def test_files_are_as_private_as_the_users_own(folder, lines, umask):
    before = os.umask(umask)
    try:
        folder.open(asked("a"), {"schema": 1})
        folder.append(lines("a"))
        folder.finish({"accuracy": 1.0})
        (own := folder.path.parent / "own").touch()
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.path.iterdir()}
    assert modes == {stat.S_IMODE(own.stat().st_mode)} == {0o666 & ~umask}


def test_a_cell_is_not_finished_while_a_question_is_missing_or_another_one(folder, lines):
    folder.open(asked("ab"))
    folder.append(lines("a"))
    with pytest.raises(BadInput, match=r"samples\.jsonl holds 3 of 6 questions, not b/0"):
        folder.finish({"accuracy": 1.0})
    folder.append([record | {"id": f"other/{i}"} for i, record in enumerate(lines("b"))])
    with pytest.raises(BadInput, match="holds 3 of 6 questions, not b/0"):
        folder.finish({"accuracy": 1.0})
    assert folder.status() == "running"


def test_what_two_runs_wrote_at_once_counts_once(folder, lines):
    other = RunFolder(folder.path)
    for run in (other, folder):
        run.open(asked("a"))
    for run in (other, folder):
        run.append(lines("a"))
    assert len(folder.samples()) == 6
    assert RunFolder(folder.path).complete(asked("a")) == {"a"}
    folder.finish({"accuracy": 1.0})
    assert len(folder.samples()) == 3
