"""environment.json: where a result comes from, without a path of the machine."""

import json
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import torch

import intpv
from intpv.record.environment import PACKAGES, environment, repository

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
    assert found["versions"]["torch"] == metadata.version("torch")
    assert set(found["versions"]) == {"python", *PACKAGES}
    assert (found["seed"], found["device"], found["threads"]) == (3, "cpu", torch.get_num_threads())
    assert (found["decoder"], found["decoder_version"]) == ("pyav", "18.1.0")
    assert found["device_name"]


def test_no_path_of_the_machine_is_in_it():
    text = json.dumps(environment(0))
    for path in (ROOT, Path.home(), Path.cwd()):
        assert str(path) not in text


def test_a_committed_tree_is_clean_until_something_changes(package):
    head = git(package, "rev-parse", "HEAD").stdout.strip()
    assert repository(package) == {"commit": head, "clean": True}
    (package / "new.py").touch()
    assert repository(package) == {"commit": head, "clean": False}


def test_a_package_inside_a_repository_that_does_not_track_it_has_no_commit(package):
    installed = package.parent / "site-packages" / "other"
    installed.mkdir(parents=True)
    (installed / "__init__.py").touch()
    assert repository(installed) == {"commit": None, "clean": None}


def test_without_git_there_is_no_commit(package, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert repository(package) == {"commit": None, "clean": None}
