"""The command in each YAML's head does what it says, as written; only the clips and folders are the test's own.

Where it needs a checkpoint that is not here, it says how to download it.
"""

import re
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from experiments.evaluate import main
from intpv.model.loading import smollm2_base

CONF = Path(__file__).parents[2] / "conf"
HEAD = re.compile(r"^# python -m experiments\.evaluate (.*)$", re.MULTILINE)
FILES = sorted(file for file in CONF.rglob("*.yaml") if file.parent.name not in ("base", "local"))
COMMANDS = {str(file.relative_to(CONF)): head[1] for file in FILES if (head := HEAD.search(file.read_text()))}
# tests/experiments/test_score.py and test_wandb_agent.py
OF_OTHER_VERBS = {"scorer/llm_judge.yaml": "experiments.score", "wandb/sweep.yaml": "wandb"}


def test_every_head_has_a_command():
    assert {str(file.relative_to(CONF)) for file in FILES} == COMMANDS.keys() | OF_OTHER_VERBS.keys()
    assert all(f"# python -m {verb} " in (CONF / file).read_text() for file, verb in OF_OTHER_VERBS.items())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("heads")


@pytest.mark.slow
@pytest.mark.parametrize("file", COMMANDS)
def test_the_command_in_the_head_runs(file, folder, monkeypatch, capsys):
    arguments = shlex.split(COMMANDS[file], comments=True)
    single = "-m" not in arguments
    small = [
        "data.limit=2",
        f"data.root={folder / 'clips'}",
        *([f"cache.dir={folder / 'cache'}"] * ("cache=off" not in arguments)),
        *(["sweep.name=heads"] * single),
        *(["frames=16"] * any(one.startswith("experiment=") for one in arguments)),  # hundreds of cells otherwise
    ]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))  # a base that the user's own cache has would be found without its package
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments, *small])
    with pytest.raises(SystemExit) as ended:
        main()
    if needed := lacking(arguments):
        assert ended.value.code == 2
        assert needed in capsys.readouterr().err
    elif "data=" in COMMANDS[file] and "data=flipbook" not in arguments:  # data sets that are nobody's to hand on
        assert ended.value.code != 0
        said = capsys.readouterr()
        assert re.search(r"data\.root: .* cannot be read|pip install pyarrow", " ".join((said.out + said.err).split()))
    elif "smollm2" in COMMANDS[file] and not find_spec(smollm2_base.PACKAGE):  # it is no part of the environment
        assert ended.value.code != 0
        said = capsys.readouterr()
        assert "make smol" in said.out + said.err
    elif repository := to_download(arguments):
        assert ended.value.code == 1
        said = capsys.readouterr()
        assert f"hf download {repository}" in " ".join((said.out + said.err).split())
    else:
        assert ended.value.code == 0


def lacking(arguments: list[str]) -> str | None:
    """What a launcher's command says where its engine is not there."""
    engine = next((one for one in arguments if one.startswith(("hydra/launcher=slurm", "hydra/launcher=ray"))), None)
    package = "ray" if engine == "hydra/launcher=ray" else "submitit"
    if engine and not find_spec(package):
        return f"pip install {package}"
    return "needs sbatch" if engine == "hydra/launcher=slurm" and not shutil.which("sbatch") else None


def to_download(arguments: list[str]) -> str | None:
    """The repository that a command's model is read from."""
    chosen = dict(one.split("=", 1) for one in arguments if "=" in one)
    if chosen.get("model.weights") == "random":
        return None
    if path := chosen.get("model.path"):
        return path
    return yaml.safe_load((CONF / f"model/{chosen.get('model', 'mini')}.yaml").read_text()).get("path")
