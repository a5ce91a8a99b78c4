"""Measures in a run: they survive an interruption, cost nothing when off, and find nothing where nothing differs."""

import signal

import numpy as np
import pytest

from intpv.attention_kl.key_groups import time_bins
from intpv.inference import measuring
from intpv.inference.inference import TrainedLength
from intpv.inference.measuring import Measuring
from intpv.record.run_folder import RunFolder

from .cli import read

STATISTICS = ("mean", "median", "p95", "max")
FLIPS = ("right_to_wrong", "wrong_to_right", "changed_wrong")
UNDRAWN = "measure.figures=false"  # pictures take longer than these cells; test_measured_cell.py looks at them


def _metrics(bench, sweep):
    (cell,) = bench.cells(sweep).values()
    return read(cell, "metrics.json")


@pytest.mark.slow
def test_measures_of_an_interrupted_cell_are_those_of_a_whole_one(bench, evaluate, monkeypatch):
    more = ("measure.reference=both", "measure.signatures=true", "measure.visual_rows=2")
    arguments = ("frames=16", "kv_quant=int2", "measure=full", UNDRAWN, *more)
    assert evaluate("sweep.name=kl", *arguments)[0] == 0
    append = RunFolder.append

    def stop_after_one(self, records):
        if self.answered():
            raise KeyboardInterrupt
        append(self, records)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "append", stop_after_one)
        assert evaluate("sweep.name=kl_broken", *arguments)[0] == 130
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning leaves it ignored
    assert evaluate("sweep.name=kl_broken", *arguments)[0] == 0
    (whole,), (broken,) = (bench.cells(name).values() for name in ("kl", "kl_broken"))
    found, again = (read(cell, "metrics.json") for cell in (whole, broken))
    names = {name for name in found if name.startswith(("attention_kl/", "flips/", "signature/"))}
    for scope in ("local", "end_to_end"):
        assert found[f"attention_kl/{scope}/floor/max"] < 1e-5 < found[f"attention_kl/{scope}/all/mean"]
        assert {f"attention_kl/{scope}/video/{key}" for key in STATISTICS} <= names
        assert {f"attention_kl/visual_rows/{scope}/all/{key}" for key in STATISTICS} <= names
    assert {f"attention_kl/{of}answer_kl/{key}" for of in ("", "grouped/") for key in STATISTICS} <= names
    assert {f"flips/{of}{flip}" for of in ("", "trained_length/") for flip in FLIPS} <= names
    assert {"signature/garbled_output", "signature/slot_order/threshold", "signature/time_probe/r2"} <= names
    assert {name: again[name] for name in names} == pytest.approx({name: found[name] for name in names}, rel=1e-6)
    with np.load(whole / "attention_kl.npz") as ours, np.load(broken / "attention_kl.npz") as theirs:
        assert ours["local/kl/all"].shape == (3, 2)  # layers, heads
        assert {str(ours[f"reference/{part}"]) for part in ("local", "grouped")} == {
            "same_rope_full_kv",
            "trained_length",
        }
        numbers = [name for name in ours if ours[name].dtype.kind == "f"]
        assert all(np.allclose(ours[name], theirs[name]) for name in numbers)
    assert not (broken / "attention_kl").exists()


def test_off_nothing_of_it_is_called(bench, evaluate, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a measure that is off was called")

    monkeypatch.setattr(Measuring, "measure", refuse)
    monkeypatch.setattr(TrainedLength, "of", refuse)
    assert evaluate("sweep.name=measures_off", "frames=16", "kv_quant=int2")[0] == 0
    (cell,) = bench.cells("measures_off").values()
    assert not any(name.startswith(("attention_kl", "flips", "signature")) for name in read(cell, "metrics.json"))
    assert not (cell / "attention_kl.npz").exists()


@pytest.mark.slow
def test_some_videos_are_measured_the_same_ones_in_every_cell(bench, evaluate, monkeypatch):
    measured, measure = [], Measuring.measure

    def noted(self, viewer, baseline, scorer, asked, floors):
        measured.append((asked.item.id, asked.prefill is not None))
        return measure(self, viewer, baseline, scorer, asked, floors)

    monkeypatch.setattr(Measuring, "measure", noted)
    for kv in ("none", "int2"):
        more = ("measure=full", "measure.videos=1", UNDRAWN)
        assert evaluate("sweep.name=some", f"kv_quant={kv}", *more)[0] == 0
    assert len(measured) == 2
    assert len(set(measured)) == 1  # and its prefix in full precision was at hand
    for cell in bench.cells("some").values():
        assert read(cell, "metrics.json")["attention_kl/videos"] == 1


def test_which_videos_are_measured_depends_on_their_ids_alone():
    ids = [f"{number:03}" for number in range(50)]
    some = Measuring(attention_kl=True, videos=10).chosen(ids)
    assert len(set(some)) == 10
    assert some == Measuring(signatures=True, videos=10).chosen(ids[::-1])
    assert some == Measuring(attention_kl=True, videos=20).chosen(ids)[:10]
    assert set(some) != set(ids[:10])  # the first of a benchmark are often of one kind
    assert set(Measuring(attention_kl=True).chosen(ids)) == set(ids)
    assert not Measuring(videos=10).chosen(ids)


def test_at_the_trained_length_the_run_is_its_own_reference(bench, evaluate):
    assert (
        evaluate(
            "sweep.name=same",
            "frames=8",
            "measure=signatures",
            "measure.attention_kl=true",
            "measure.reference=both",
            UNDRAWN,
        )[0]
        == 0
    )
    metrics = _metrics(bench, "same")
    fired = [value for name, value in metrics.items() if name.startswith("signature/") and name.count("/") == 1]
    assert len(fired) == 7
    assert not any(fired)
    nothing = [
        name for name in metrics if name.startswith(("flips/", "attention_kl/grouped/", "attention_kl/answer_kl"))
    ]
    assert {name for name in nothing if metrics[name] > 1e-6} == set()
    assert len(nothing) > 20


def test_repeated_frames_fall_into_the_references_bins(bench, evaluate, monkeypatch):
    """F = 32 of 8 distinct frames each shown 4 times, against those 8: length without content."""
    seen, grouped = [], measuring.grouped

    def spy(reference, modified, rows):
        seen.append((reference.groups.times, modified.groups.times))
        return grouped(reference, modified, rows)

    monkeypatch.setattr(measuring, "grouped", spy)
    assert evaluate("sweep.name=control", "frames=32", "video.repeat=4", "measure=grouped", UNDRAWN)[0] == 0
    assert len(seen) == 2  # videos
    for few, many in seen:
        assert many == tuple(time for time in few for _ in range(4))
        ours, theirs, count = time_bins(few, many)
        assert (ours.tolist(), theirs.tolist(), count) == (list(range(8)), [i // 4 for i in range(32)], 8)
    metrics = _metrics(bench, "control")
    assert metrics["attention_kl/grouped/total/mean"] > 0
    assert not any(name.startswith(("attention_kl/local", "signature/")) for name in metrics)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["measure.attention_kl=full"], "measure.attention_kl must be true or false, got full: measure=full sets"),
        (
            ["measure.reference=none"],
            "measure.reference must be one of same_rope_full_kv, trained_length, both, got none",
        ),
        (["measure.visual_rows=-1"], "measure.visual_rows must be a whole number of at least 0, got -1"),
        (["measure.sinks=-1"], "measure.sinks must be a whole number of at least 0, got -1"),
        (["measure.memory.videos=-1"], "measure.memory.videos must be a whole number of at least 1, got -1"),
    ],
)
def test_bad_settings_are_one_line(evaluate, arguments, line):
    code, said = evaluate("sweep.name=bad_measure", *arguments)
    assert code == 2
    assert line in " ".join(said.split())
    assert "Traceback" not in said
