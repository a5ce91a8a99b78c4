"""What is wrong with a command line is one line on standard error, with the nearest name and exit code 2."""

import sys

import pytest

from experiments.evaluate import main
from experiments.run.command import in_hydras_words
from experiments.run.messages import reason
from experiments.run.options import known_keys
from intpv.errors import BadInput


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    def run(*arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.splitlines()) == 1
        return said.err.rstrip()

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argument", "line"),
    [
        (
            "rope_strategy=yran",
            "rope_strategy=yran is no option: did you mean yarn? (there are dual_chunk, ",
        ),
        ("kv_quant=int3", "kv_quant=int3 is no option: did you mean int"),
        ("experiment=smok", "experiment=smok is no option: did you mean smoke?"),
        ("frame=8", "there is no key frame: did you mean frames?"),
        ("rope_startegy=yarn", "there is no key rope_startegy: did you mean rope_strategy?"),
        ("rope_strategy.fcator=2", "there is no key rope_strategy.fcator: did you mean rope_strategy.factor?"),
        (
            "rope_strategy.beta_slow=2",
            "rope_strategy.beta_slow is a key of another option of rope_strategy than the one",
        ),
        ("rope_strategy.beta_slwo=2", "there is no key rope_strategy.beta_slwo: did you mean rope_strategy.beta_slow?"),
        ("frames=8,16", "frames=8,16 gives several values: add -m for a sweep over them"),
        ("frames=[8", "frames=[8 cannot be read: write key=value"),
        ("frames=8x", "frames must be a whole number of at least 1, got 8x"),
        ("seed=-1", "seed must be a whole number of at least 0, got -1"),
        ("zebra=1", "there is no key zebra"),
        ("locl.x=1", "there is no key locl.x"),
        ("rope_strategy=base/scaling", "rope_strategy._target_ is missing: it must not be deleted"),
        ("model=base/checkpoint", "model._target_ is missing: it must not be deleted"),
        ("model.devcie=cpu", "there is no key model.devcie: did you mean model.device?"),
    ],
)
def test_the_line_names_what_was_meant(refused, argument, line):
    assert refused(argument).startswith(f"evaluate: {line}")


def test_a_folder_that_cannot_be_made_is_named(refused, tmp_path):
    (tmp_path / "file").touch()
    assert refused(f"hydra.run.dir={tmp_path}/file/runs") == f"evaluate: {tmp_path}/file/runs: Not a directory"


def test_a_sweep_is_refused_before_anything_is_written(refused, tmp_path):
    assert refused("-m", "frames=8,8x") == "evaluate: frames must be a whole number of at least 1, got 8x"
    assert not list(tmp_path.rglob("*/status.json"))


def test_null_is_none_where_a_group_has_one():
    given = ["logger=null", "kv_quant=null", "video.stream=null", "data.limit=null", "experiment=null"]
    assert in_hydras_words(["local=null", "frames=8"]) == ["~local", "frames=8"]
    assert in_hydras_words(given) == ["logger=none", "kv_quant=none", *given[2:]]


def test_the_home_folder_may_be_written_as_it_is_everywhere_else(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    given = ["data.root=~/videos", "model.path=~/a,~/b", "~trainer.threads", "sweep.name=a~b"]
    expected = ["data.root=/home/me/videos", "model.path=/home/me/a,/home/me/b", *given[2:]]
    assert in_hydras_words(given) == expected


def test_keys_of_options_not_chosen_are_known():
    assert {"frames", "rope_strategy", "rope_strategy.beta_fast", "kv_quant.key_group"} <= set(known_keys())
    assert {"rope_strategy.factor", "model.lora"} <= set(known_keys())  # inherited
    assert not [key for key in known_keys() if "base" in key.split(".")[:-1] or "defaults" in key]


def test_what_instantiate_wraps_is_unwrapped():
    wrapped = RuntimeError("Error in call to target ...\nBadInput(...)")
    wrapped.__cause__ = BadInput("factor must be at least 1, got 0")
    assert reason(wrapped) == "factor must be at least 1, got 0"
