"""The measure of a whole video: flat finite metrics under design.md's names, tables, and answers of the reference."""

import math
import re

import numpy as np
import pytest

from intpv.attention_kl.attention_kl import AttentionKL
from intpv.attention_kl.report import Measured
from intpv.errors import BadInput


@pytest.fixture(scope="module")
def found(watched):
    return AttentionKL().measure(watched.video_llm, watched.prefill, watched.packed("int2"), watched.questions)


def test_metrics_have_the_names_of_the_design_and_are_finite(found):
    named = found[0].figures()
    for scope in ("local", "end_to_end"):
        for keys in ("all", "video", "floor"):
            for statistic in ("mean", "median", "p95", "max"):
                assert named[f"attention_kl/{scope}/{keys}/{statistic}"] >= 0
        masses = [named[f"attention_kl/{scope}/mass/{kind}/modified"] for kind in ("sink", "text", "question", "video")]
        assert sum(masses) == pytest.approx(1)
        assert 0 < named[f"attention_kl/{scope}/top1_agreement"] < 1
        assert named[f"attention_kl/{scope}/attention_output_error"] > 0.01
        assert named[f"attention_kl/{scope}/lost_mass"] == 0
        assert named[f"attention_kl/{scope}/entropy_ratio"] > 0
        assert named[f"attention_kl/{scope}/all/max"] >= named[f"attention_kl/{scope}/all/p95"]
    assert all(math.isfinite(value) for value in named.values())
    assert all(re.fullmatch(r"attention_kl/(local|end_to_end)/[\w/]+", name) for name in named)


def test_the_answers_are_those_of_the_full_precision_prefix(found, watched):
    want = watched.video_llm.ask(watched.video_llm.pack(watched.prefill), watched.questions)
    assert [answer.tokens for answer in found[1]] == [answer.tokens for answer in want]


def test_full_precision_loses_nothing(watched):
    measured, _ = AttentionKL().measure(watched.video_llm, watched.prefill, watched.packed("none"), watched.questions)
    named = measured.figures()
    for scope in ("local", "end_to_end"):
        assert named[f"attention_kl/{scope}/all/max"] <= named[f"attention_kl/{scope}/floor/max"] < 1e-5
        assert named[f"attention_kl/{scope}/entropy_ratio"] == pytest.approx(1)
        assert named[f"attention_kl/{scope}/top1_agreement"] == 1


def test_tables_and_worst_heads(found):
    measured: Measured = found[0]
    tables = measured.tables()
    assert tables["local/kl/all"].shape == tables["end_to_end/kl/video"].shape == (4, 4)
    assert tables["local/mass/modified"].shape == (4, 4, 19)
    for scope in ("local", "end_to_end"):
        norm, error = (measured.sums[scope].sums[f"output/{name}"].numpy() for name in ("norm", "error"))
        assert np.allclose(tables[f"{scope}/output_error"] ** 2 * norm, error)
        assert (tables[f"{scope}/output_error"] > 0).all()
        whole = measured.figures()[f"attention_kl/{scope}/attention_output_error"]
        assert whole**2 == pytest.approx(error.sum() / norm.sum())
    for name, worst in measured.worst().items():
        layer, head, value = worst[0]
        assert tables[name].max() == tables[name][layer, head] == value
        assert len(worst) == 5


def test_two_videos_alike_are_as_one(found):
    measured = found[0]
    twice = Measured.together([measured, measured]).figures()
    assert twice == pytest.approx(measured.figures())


def test_tables_name_the_reference_and_the_floor(found):
    tables = found[0].tables()
    assert str(tables["reference/local"]) == "same_rope_full_kv"
    for scope in ("local", "end_to_end"):
        assert tables[f"{scope}/floor/kl/all"].shape == (4, 4)
        worst = tables[f"worst_heads/{scope}/kl/all"]
        assert [(layer, head) for layer, head, _ in worst] == [w[:2] for w in found[0].worst()[f"{scope}/kl/all"]]
        assert worst["kl"][0] == tables[f"{scope}/kl/all"].max()


def test_no_questions_are_refused(watched):
    with pytest.raises(BadInput, match="at least 1 question, got 0"):
        AttentionKL().measure(watched.video_llm, watched.prefill, watched.packed("none"), [])
