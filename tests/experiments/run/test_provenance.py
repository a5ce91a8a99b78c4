"""Provenance: what is called clean is what git calls clean, from the first moment to the last; the command as typed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.run import provenance
from experiments.run.open_cell import warn_of_coarse_products
from experiments.run.provenance import write_result
from intpv.record.environment import MAIN

ROOT = Path(__file__).parents[2]


def git(folder, *arguments):
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", "-C", folder, *author, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    return folder


def began(package, clean=True):
    return {"provenance": {"command": "x", "commit": git(package, "rev-parse", "HEAD"), "clean": clean}, "speed": 3}


def test_a_result_in_the_tree_does_not_make_the_next_one_unclean(package):
    for name in ("one", "two"):
        written = write_result(package.parent / "analysis" / "results" / f"{name}.json", began(package))
        assert written == began(package)


@pytest.mark.parametrize("change", ["edited", "new", "committed"])
def test_code_that_changes_meanwhile_is_not_clean(package, change, capsys):
    start = began(package)
    (package / ("__init__.py" if change == "edited" else "new.py")).write_text("changed = 1\n")
    if change == "committed":
        git(package.parent, "add", ".")
        git(package.parent, "commit", "-qm", "second")
    assert not write_result(package.parent / "result.json", start)["provenance"]["clean"]
    assert "the code was changed while this was measured" in capsys.readouterr().err


def test_what_began_unclean_stays_so(package):
    assert not write_result(package.parent / "result.json", began(package, clean=False))["provenance"]["clean"]
    assert not write_result(package.parent / "result.json", began(package, clean=None))["provenance"]["clean"]


def test_the_command_is_the_one_that_was_typed(tmp_path):
    (tmp_path / "typed.py").write_text("from experiments.run.provenance import command\nprint(command())\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    run = [sys.executable, "-m", "typed", "rounds=3", "out=my results.json"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "python -m typed rounds=3 'out=my results.json'"


def test_it_says_commit_versions_and_device_and_warns_of_an_unclean_tree(capsys):
    found = provenance.provenance()
    assert set(found["packages"]) == set(MAIN)
    assert found["device"] in ("cpu", "cuda")
    assert ("the tree is not clean" in capsys.readouterr().err) == (not found["clean"])
    assert found["command"] in provenance.line({**found, "clean": True})


@pytest.mark.parametrize(
    ("device", "products", "said"), [("cuda:0", "tf32", 1), ("cuda:0", "ieee", 0), ("cpu", "tf32", 0)]
)
def test_a_run_on_a_gpu_says_that_float32_is_not_float32(caplog, device, products, said):
    warn_of_coarse_products({"device": device, "float32_products": products})
    assert caplog.text.count("float32 products are tf32 here") == said


def test_a_cells_command_runs_it_alone(tmp_path):
    known = {**dict.fromkeys(("commit", "clean", "python", "device", "device_name")), "packages": {}}
    assert provenance.of_cell(known, tmp_path, "mine")["command"] is None
    (tmp_path / ".hydra").mkdir()
    overrides = tmp_path / ".hydra" / "overrides.yaml"
    overrides.write_text(yaml.safe_dump(["frames=16", "data.root=my clips"]))
    command = provenance.of_cell(known, tmp_path, "mine")["command"]
    assert shlex.split(command)[3:] == ["frames=16", "data.root=my clips", "sweep.name=mine"]
    overrides.write_text(yaml.safe_dump(["sweep.name=mine"]))
    assert provenance.of_cell(known, tmp_path, "mine")["command"].endswith("evaluate sweep.name=mine")
    overrides.write_text("[")
    assert provenance.of_cell(known, tmp_path, "mine")["command"] is None
