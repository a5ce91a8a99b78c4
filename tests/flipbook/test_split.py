"""The test split: the same for a seed, balanced, and its choice of clips leaves the ceiling true."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from intpv.flipbook import split as split_module
from intpv.flipbook.ceiling import posterior
from intpv.flipbook.question import OPTIONS
from intpv.flipbook.split import draw, generator
from intpv.video.sampling import midpoint


@pytest.mark.slow
def test_each_answer_of_a_kind_is_as_frequent_as_any_other(regime, split):
    answers = {kind: Counter() for kind in OPTIONS}
    corners = Counter()
    for clip in split(regime):
        for question in clip.questions:
            (corners if question.about == ("corners",) else answers[question.kind])[question.answer] += 1
    answers["when"].update(dict.fromkeys("18", 10))  # a flash is never in the first or last eighth
    for kind, tally in answers.items():
        assert set(tally) == set(OPTIONS[kind])
        assert max(tally.values()) - min(tally.values()) <= 2, kind
    assert set(corners) == set("345678")
    assert max(corners.values()) - min(corners.values()) <= 1


def test_every_clip_has_ten_questions_and_ids_of_its_own(regime, split):
    ids = [clip.question_id(index) for clip in split(regime) for index in range(10)]
    assert len(set(ids)) == 600
    assert all(len(clip.questions) == 10 for clip in split(regime))
    assert ids[2] == f"{regime}-000/2-count"


def test_a_seed_is_a_split_and_a_shorter_split_is_its_beginning(split):
    again = draw("fast", 4, seed=0)
    assert again == split("fast")[:4]
    assert [clip.scene for clip in draw("fast", 4, seed=1)] != [clip.scene for clip in again]
    assert {clip.scene for clip in draw("slow", 4, seed=0)}.isdisjoint(clip.scene for clip in again)


@pytest.mark.slow
def test_choosing_balanced_clips_leaves_the_ceiling_true():
    """Over many splits an exact observer is right as often as the published generator's ceiling says."""
    times = midpoint(256, 16)
    expected, hits = [], []
    for seed in range(100, 112):
        for clip in draw("fast", 60, seed):
            for question in clip.questions:
                beliefs = posterior(clip.scene, question, times)
                expected.append(max(beliefs.values()))
                hits.append(max(beliefs, key=beliefs.get) == question.answer)
    expected = np.array(expected)
    error = np.sqrt((expected * (1 - expected)).sum()) / len(expected)
    assert abs(np.mean(hits) - expected.mean()) < 3 * error


def test_the_files_of_another_generator_are_never_used(monkeypatch, tmp_path):
    copy = shutil.copytree(Path(split_module.__file__).parent, tmp_path / "flipbook") / "split.py"
    monkeypatch.setattr(split_module, "__file__", str(copy))
    assert generator.__wrapped__() == generator()
    render = copy.with_name("render.py")
    render.write_text(render.read_text().replace("BORDER = 8", "BORDER = 7"))
    assert generator.__wrapped__() != generator()
