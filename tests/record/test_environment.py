"""environment.json: where a result comes from, without a path of the machine."""

import json
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import torch

import intpv
from intpv.record import environment as module
from intpv.record.environment import environment, repository

ROOT = Path(intpv.__file__).parents[1]


def git(folder, *arguments):
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(["git", "-C", folder, *author, *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def package(tmp_path):
    """A committed package in a repository of its own."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return folder


def test_it_says_what_the_result_depends_on():
    found = environment(3, "cpu", "pyav", "18.1.0")
    assert found["packages"]["torch"] == metadata.version("torch")
    assert {"transformers", "lightning", "hydra-core", "av", "numpy"} <= set(found["packages"])
    assert found["python"].startswith("3.")
    assert (found["seed"], found["device"], found["threads"]) == (3, "cpu", torch.get_num_threads())
    assert (found["decoder"], found["decoder_version"]) == ("pyav", "18.1.0")
    assert found["device_name"]


def test_no_path_of_the_machine_is_in_it():
    text = json.dumps(environment(0))
    for path in (ROOT, Path.home(), Path.cwd()):
        assert str(path) not in text


def test_a_committed_tree_is_clean_until_something_changes(package):
    head = git(package, "rev-parse", "HEAD").stdout.strip()
    clean = {"commit": head, "clean": True, "diff": "", "untracked": []}
    assert repository(package) == clean
    (package / "new.py").touch()
    (package / "__init__.py").write_text("changed = 1\n")
    assert repository(package) == clean  # as it was when this process first looked
    repository.cache_clear()
    dirty = repository(package)
    assert (dirty["commit"], dirty["clean"], dirty["untracked"]) == (head, False, ["package/new.py"])
    assert "+changed = 1" in dirty["diff"].splitlines()


def test_the_diff_is_one_that_git_can_apply(package):
    (package / "__init__.py").write_text("changed = 1\n")
    (package.parent / "saved.diff").write_text(repository(package)["diff"] + "\n")
    git(package, "checkout", "-q", ".")
    git(package.parent, "apply", "saved.diff")
    assert (package / "__init__.py").read_text() == "changed = 1\n"


def test_a_long_diff_is_cut_and_says_so(package, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_DIFF", 100)
    (package / "__init__.py").write_text("x = 1\n" * 99)
    assert repository(package)["diff"].endswith("characters]")
    assert len(repository(package)["diff"]) < 140


def test_a_package_inside_a_repository_that_does_not_track_it_has_no_commit(package):
    installed = package.parent / "site-packages" / "other"
    installed.mkdir(parents=True)
    (installed / "__init__.py").touch()
    assert set(repository(installed).values()) == {None}


def test_without_git_there_is_no_commit(package, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert set(repository(package).values()) == {None}
