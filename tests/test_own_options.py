"""Options of one's own: the examples of README and CONTRIBUTING as they are written, in a folder outside the clone."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from experiments import check
from experiments.run.command import run_config
from intpv.errors import BadInput
from intpv.laws import laws_of
from intpv.options import VARIABLE, option

from .readme_maps import ROOT

FENCED = re.compile(r"^```(python|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
GROUPS = {text.partition("\n")[0]: text for text in CONTRIBUTING.partition("## In a clone")[0].split("\n### ")[1:]}
README = re.search(r"^## Add your own\n(.*?)^## ", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)[1]


def write(folder, group: str, text: str) -> None:
    """The blocks of one example: its options, and the module that they name."""
    blocks = dict(FENCED.findall(text))
    place = folder / "conf_of_mine" / group / "mine.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(blocks["yaml"])
    if module := re.search(r"_target_: (\w+)\.", blocks["yaml"]):
        (folder / f"{module[1]}.py").write_text(blocks["python"])


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """All examples of CONTRIBUTING; modules and paths are forgotten afterwards."""
    for group, text in GROUPS.items():
        write(tmp_path, group, text)
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv(VARIABLE, str(tmp_path / "conf_of_mine"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


def test_there_is_an_example_of_every_group_that_is_open():
    opened = {"rope_strategy", "rearranger", "kv_quant", "encoder", "model", "data", "scorer", "measure"}
    opened |= {"budget", "kv_evict"}
    assert GROUPS.keys() == opened


@pytest.mark.slow
@pytest.mark.parametrize("group", ["rope_strategy", "rearranger", "kv_quant", "budget", "kv_evict", "scorer", "data"])
def test_an_example_keeps_the_laws_of_its_group(outside, group):
    (outside / "videos").mkdir()
    (outside / "videos" / "door.mp4").touch()
    laws = laws_of(group, "mine")
    assert laws
    for law in laws:
        assert law.judge()


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_an_example_is_an_option_like_any_other(outside, group):
    chosen = [f"{group}=mine", *(["model=random"] if group == "encoder" else [])]
    config, choices = run_config(chosen, None)
    assert choices[group] == "mine"
    assert config[group]


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [["encoder=mine", "model=random"], ["model=mine"]])
def test_check_tries_an_encoder_and_a_model(outside, chosen, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check", "trainer.threads=1", *chosen])
    with pytest.raises(SystemExit) as end:
        check.main()
    assert end.value.code == 0, capsys.readouterr().out


def test_fields_are_changed_and_refused_by_name(outside):
    assert option("rope_strategy", "mine").kept == 4
    fails = laws_of("rope_strategy", option("rope_strategy", "mine", kept=99))[0]
    with pytest.raises(BadInput, match="kept must be below 64 channels, got 99"):
        fails.judge()


@pytest.mark.parametrize(
    ("group", "target", "line"),
    [
        (
            "rope_strategy",
            "nowhere.Mine",
            "there is no module nowhere in {} \\(beside conf_of_mine\\), .*installed packages",
        ),
        ("model", "nowhere.load", "there is no module nowhere in {} \\(beside conf_of_mine\\), .*installed packages"),
        ("scorer", "intpv.scorer.nowhere.Mine", "there is no module intpv.scorer.nowhere in .*intpv"),
        ("rope_strategy", "intpv.rearranger.strided.Strided", "must be a RopeStrategy, got Strided"),
    ],
)
def test_a_class_that_is_not_there_is_told_where_it_was_looked_for(outside, group, target, line):
    (outside / "conf_of_mine" / group / "lost.yaml").write_text(f"_target_: {target}\n")
    with pytest.raises(BadInput, match=f"{group}=lost:? {line.format(outside)}"):
        run_config([f"{group}=lost"], None)


def test_the_python_api_says_it_too(outside):
    (outside / "conf_of_mine" / "scorer" / "lost.yaml").write_text("_target_: nowhere.Mine\n")
    with pytest.raises(BadInput, match="scorer=lost: there is no module nowhere in"):
        option("scorer", "lost")


@pytest.mark.slow
def test_the_readmes_recipe_runs_outside_the_clone_as_it_is_written(tmp_path):
    """Through the real command line: its blocks and its commands, on one video and without W&B."""
    write(tmp_path, "rope_strategy", README)
    commands = re.findall(r"`(python -m experiments\.(\w+) [^`]+)`", README)
    assert [verb for _, verb in commands] == ["check", "evaluate"]
    here = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    for command, verb in commands:
        more = ["data.limit=1", "logger=none"] if verb == "evaluate" else []
        arguments = [sys.executable, *shlex.split(command)[1:], *more]
        done = subprocess.run(arguments, cwd=tmp_path, env=here, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        assert verb != "check" or done.stdout.splitlines()[-1].startswith("0 checks failed, in ")
