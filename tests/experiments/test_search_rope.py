"""The search_rope verb: an option of the user's own that evaluate runs, from clips that no test has."""

import logging
import sys

import pytest
import yaml
from omegaconf import OmegaConf

from experiments import search_rope
from intpv.inference import rope_search
from intpv.options import VARIABLE, option
from intpv.rope_strategy.longrope import LongRopeScaling

BUDGET = ("--videos", "2", "--budget", "8")


@pytest.fixture(autouse=True)
def _process(monkeypatch):
    """Hydra turns off all loggers of the process; and what --config-dir sets is forgotten afterwards."""
    monkeypatch.setenv(VARIABLE, "")
    yield
    for logger in logging.Logger.manager.loggerDict.values():
        logger.disabled = False


@pytest.fixture
def said(bench, monkeypatch, capsys):
    def run(*arguments: str) -> str:
        monkeypatch.chdir(bench.folder)
        given = [one for one in bench.arguments() if not one.startswith("data.limit")]
        monkeypatch.setattr(sys, "argv", ["search_rope", "trainer.threads=1", *given, *arguments])
        search_rope.main()
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_from_clips_to_an_option_to_a_cell(said, bench, evaluate, monkeypatch):
    folder, seen, loss = bench.folder / "mine", [], rope_search._loss

    def watched(llm, clips):
        seen.append((loss(llm, clips), clips, llm.rope_strategy))
        return seen[-1][0]

    monkeypatch.setattr(rope_search, "_loss", watched)
    given = ["frames=16", "rope_strategy.visual=true", f"out={folder}/rope_strategy/searched.yaml"]
    out = said(*given, *BUDGET)
    assert len(seen) == 8
    assert all(".mp4" in clip.item.path and "-stream3-" in clip.item.path for _, clips, _ in seen for clip in clips)
    best, _, strategy = min(seen, key=lambda one: one[0])
    assert f"1 - restricted accuracy {best:.4f} over 2 clips of flipbook (calibration, seed 0), model mini" in out
    assert out.splitlines()[-1].partition(": ")[0] in (folder / "rope_strategy" / "searched.yaml").read_text()

    monkeypatch.setenv(VARIABLE, str(folder))
    found = option("rope_strategy", "searched")
    assert found == strategy
    assert isinstance(found, LongRopeScaling)
    assert found.visual
    code, _ = evaluate("frames=16", "rope_strategy=searched", "sweep.name=searched")
    assert code == 0
    (cell,) = bench.cells("searched").values()
    written = OmegaConf.load(cell / ".hydra" / "config.yaml").rope_strategy.long_factor
    assert tuple(written) == found.long_factor


def test_answers_may_be_held_to_those_of_the_trained_length(said, bench):
    folder = bench.folder / "kl"
    out = said("frames=16", f"out={folder}/rope_strategy/kl.yaml", "--objective", "answer_kl", *BUDGET)
    values = [float(line.split()[1]) for line in out.splitlines()[1:-1]]
    assert len(values) == len(rope_search.STARTS)
    assert values == sorted(values)
    assert min(values) > 0
    content = yaml.safe_load((folder / "rope_strategy" / "kl.yaml").read_text())
    assert len(content["long_factor"]) == 16


PLACE = "out=a/rope_strategy/mine.yaml"


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ([], "out must name the file to write, once: out=FILE, got none"),
        (["out=a/b.yaml"], "out must be an option of rope_strategy: FOLDER/rope_strategy/NAME.yaml, got a/b.yaml"),
        (["out=a/rope_strategy/yarn.yaml"], "out must have a name of its own: intpv has an option rope_strategy=yarn"),
        ([PLACE, "frame=8"], "there is no key frame: did you mean frames?"),
        ([PLACE, "rope_strategy=yarn"], "the factors are longrope's: rope_strategy must be longrope, got yarn"),
        ([PLACE, "--budget", "0"], "--budget must be a whole number of at least 1, got 0"),
    ],
)
def test_a_bad_command_is_one_line_and_writes_nothing(said, bench, capsys, wrong, line):
    with pytest.raises(SystemExit) as ended:
        said(*wrong)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"search_rope: {line}")
    assert not (bench.folder / "a").exists()


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (["frames=8"], "frames must be more than the model was trained on: at 8 nothing is scaled"),
        (["frames=16", "--budget", "2"], "budget must be at least 6, the known rules that a search begins with, got 2"),
    ],
)
def test_what_cannot_be_searched_is_one_line(said, bench, capsys, wrong, line):
    with pytest.raises(SystemExit) as ended:
        said("out=b/rope_strategy/mine.yaml", "--videos", "1", *wrong)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"search_rope: {line}")
