"""A bad question costs itself: its neighbours' lines are those of a run without it; a bad benchmark costs no model."""

from dataclasses import replace

import pytest

from experiments.run import build
from intpv.data.flipbook import Flipbook
from intpv.metrics.accuracy import accuracy
from intpv.record.run_folder import RunFolder

from .cli import read

ASKED = ("frames=8", "data.regimes=[slow]", "data.limit=1")


def _cell(bench, name: str) -> RunFolder:
    return RunFolder(bench.folder / "runs" / name)


def _changed(monkeypatch, changes: dict[int, dict]) -> None:
    sound = Flipbook.items

    def items(self):
        first, *rest = sound(self)
        asked = [replace(one, **changes.get(place, {})) for place, one in enumerate(first.questions)]
        return [replace(first, questions=tuple(asked)), *rest]

    monkeypatch.setattr(Flipbook, "items", items)


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["none", "full"])
def test_a_question_that_cannot_be_asked_leaves_its_neighbours(evaluate, bench, monkeypatch, measure):
    run = (*ASKED, f"measure={measure}")
    code, _ = evaluate(*run, f"hydra.run.dir=runs/sound-{measure}")
    assert code == 0
    _changed(monkeypatch, {3: {"text": "red " * 99}, 5: {"text": "blue " * 99}})
    code, said = evaluate(*run, f"hydra.run.dir=runs/unsound-{measure}")
    assert code == 1
    assert "2 of 10 questions" in said
    sound, unsound = (_cell(bench, f"{name}-{measure}").samples() for name in ("sound", "unsound"))
    wrong = [line for line in unsound if line["error"]]
    assert len(wrong) == 2
    assert all("may have 72 tokens" in line["error"] and line["prediction"] is None for line in wrong)
    for one, other in zip(sound, unsound, strict=True):
        if not other["error"]:
            loglik, again = one.pop("loglik"), other.pop("loglik")
            assert one == other
            assert loglik == pytest.approx(again, abs=1e-3)
    metrics = read(_cell(bench, f"unsound-{measure}").path, "metrics.json")
    assert metrics["coverage"] == 0.8
    assert metrics["accuracy"] == sum(line["correct"] for line in unsound) / 10 == accuracy(unsound)["accuracy"]
    assert metrics["invalid_rate"] == sum(not line["valid"] for line in unsound if not line["error"]) / 8


def test_a_bad_benchmark_is_refused_before_a_model_is_loaded(evaluate, monkeypatch):
    _changed(monkeypatch, {1: {"id": "../x"}, 2: {"options": ()}})
    monkeypatch.setattr(build, "model", lambda config: pytest.fail("a model was loaded"))
    code, said = evaluate(*ASKED, "hydra.run.dir=runs/refused")
    assert code == 1
    (line,) = [line for line in said.splitlines() if "faults" in line]
    assert "data=flipbook has 2 faults in its items: " in line
    assert "question id that is a path (1): ../x" in line
