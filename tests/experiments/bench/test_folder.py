"""The folder bench: every clip has as many questions as asked for, and both ways of asking are timed."""

import pytest

from experiments.bench.folder import both_ways, report_lines


@pytest.mark.slow
def test_both_ways_are_timed_on_the_folder_that_was_written(tmp_path):
    sizes = {"rounds": 1, "videos": 2, "questions": 12, "frames": 8}
    found = both_ways(tmp_path, **sizes)
    assert len((tmp_path / "questions.jsonl").read_text().splitlines()) == 24
    for name in ("behind_prefix", "from_the_file"):
        assert found[name]["ratio"]["rounds"] == 1
        assert found[name]["theirs_s"]["median"] > found[name]["ours_s"]["median"] > 0
    assert next(report_lines({**sizes, **found})).startswith("24 questions about 2 videos of 8 frames read in ")
