"""The command in each YAML's head does what it says, as written; only the clips and folders are the test's own."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from experiments.evaluate import main

CONF = Path(__file__).parents[2] / "conf"
HEAD = re.compile(r"^# python -m experiments\.evaluate (.*)$", re.MULTILINE)
COMMANDS = {str(f.relative_to(CONF)): HEAD.search(f.read_text()).group(1) for f in sorted(CONF.rglob("*.yaml"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("heads")


@pytest.mark.slow
@pytest.mark.parametrize("file", COMMANDS)
def test_the_command_in_the_head_runs(file, folder, monkeypatch):
    arguments = shlex.split(COMMANDS[file], comments=True)
    single = "-m" not in arguments
    small = [
        "data.limit=2",
        f"data.root={folder / 'clips'}",
        *([f"cache.dir={folder / 'cache'}"] * ("cache=off" not in arguments)),
        *(["sweep.name=heads"] * single),
    ]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments, *small])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
