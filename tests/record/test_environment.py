"""environment.json: where a result comes from, without a path of the machine."""

import json
import os
import subprocess
import sys
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


def test_published_results_are_no_code(package):
    results = package.parent / "analysis" / "results"
    results.mkdir(parents=True)
    (results / "old.json").write_text("1")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-qm", "results")
    (results / "old.json").write_text("2")
    (results / "new.json").touch()
    assert repository(package) | {"commit": None} == {"commit": None, "clean": True, "diff": "", "untracked": []}
    repository.cache_clear()
    (results.parent / "table.py").touch()
    assert repository(package)["untracked"] == ["analysis/table.py"]


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


TF32 = {
    "pass": "ieee",
    "torch.set_float32_matmul_precision('high')": "tf32",
    "torch.set_float32_matmul_precision('highest')": "ieee",
    "torch.backends.cuda.matmul.allow_tf32 = True": "tf32",
    "torch.backends.cuda.matmul.fp32_precision = 'tf32'": "tf32",
}


@pytest.fixture(scope="module")
def said_of_tf32() -> dict[str, str]:
    """Each in a process of its own, forked after the import of torch, which computes nothing and starts no thread."""
    code = f"""
import json, os, torch
from intpv.record.environment import environment
assert len(os.listdir("/proc/self/task")) == 1
for asked in {list(TF32)}:
    if os.fork() == 0:
        exec(asked)
        print(json.dumps([asked, environment(0, "cpu")["float32_products"]]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
    return dict(map(json.loads, _printed(code, OMP_NUM_THREADS="1").splitlines()))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads cannot be counted here")
@pytest.mark.parametrize("asked", TF32)
def test_it_says_who_has_asked_for_tf32(said_of_tf32, asked):
    assert said_of_tf32[asked] == TF32[asked]


@pytest.mark.slow
def test_an_image_may_ask_for_tf32_before_anything_runs():
    assert _elsewhere("pass", TORCH_ALLOW_TF32_CUBLAS_OVERRIDE="1")["float32_products"] == "tf32"


@pytest.mark.slow
def test_it_says_how_the_allocator_is_set():
    assert (
        _elsewhere("pass", PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True")["allocator"]
        == "expandable_segments:True"
    )
    assert environment(0)["cuda"] == torch.version.cuda


def test_the_driver_is_the_kernel_modules(tmp_path, monkeypatch):
    said = tmp_path / "version"
    said.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC 12\n")
    monkeypatch.setattr(module, "DRIVER", said)
    assert environment(0)["driver"] == "550.54.14"
    monkeypatch.setattr(module, "DRIVER", tmp_path / "none")
    assert environment(0)["driver"] is None


def _elsewhere(statement: str, **variables: str) -> dict:
    """In a process of its own: torch reads the variables once, and its settings are everybody's."""
    code = f"import json, torch; {statement}; from intpv.record.environment import environment as here"
    return json.loads(_printed(f"{code}; print(json.dumps(here(0, 'cpu')))", **variables))


def _printed(code: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ | variables, cwd=ROOT
    )
    return done.stdout
