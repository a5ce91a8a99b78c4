"""Threads are never more than the machine, or this process' share of it, has cores."""

import os
import subprocess
import sys

import pytest

from experiments.run import threads
from intpv.errors import BadInput


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with so many cores, and a quota as cgroups write it."""

    def make(cores: int, quota: str = "max 100000"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
        (tmp_path / "cpu.max").write_text(quota)
        monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    return make


@pytest.mark.parametrize(
    ("cores", "quota", "expected"),
    [(8, "max 100000", 8), (8, "400000 100000", 4), (8, "50000 100000", 1), (2, "800000 100000", 2), (3, "?", 3)],
)
def test_a_containers_quota_counts(machine, cores, quota, expected):
    machine(cores, quota)
    assert threads.cores() == expected


@pytest.mark.parametrize(("asked", "share", "most"), [(9, 1, 8), (3, 4, 2), (0, 1, 8), ("many", 1, 8), (2.0, 1, 8)])
def test_more_than_the_share_is_refused_with_both_numbers(machine, asked, share, most):
    machine(8)
    with pytest.raises(BadInput, match=rf"trainer\.threads must be auto or 1 to {most}.*, got {asked}$"):
        threads.set_threads.__wrapped__(asked, share)


@pytest.mark.parametrize(("share", "most"), [(1, 8), (3, 2), (16, 1)])
def test_auto_is_the_share(machine, monkeypatch, share, most):
    import torch

    machine(8)
    found = []
    monkeypatch.setattr(torch, "set_num_threads", found.append)
    threads.set_threads.__wrapped__("auto", share)
    assert found == [most]


@pytest.mark.parametrize(
    ("exported", "share", "expected"),
    [("1", 1, 1), ("3", 1, 3), ("2,1", 1, 2), ("16", 1, 8), ("4", 4, 2), ("", 1, 8), ("0", 1, 8), ("many", 1, 8)],
)
def test_what_is_exported_is_obeyed_and_never_more_than_the_share(machine, monkeypatch, exported, share, expected):
    machine(8)
    monkeypatch.setenv("OMP_NUM_THREADS", exported)
    assert threads.automatic(share) == expected


def test_openmp_itself_runs_with_what_is_exported():
    """In a process of its own: torch asks OpenMP, which reads the variable before any of our code does."""
    program = "from experiments.run.threads import set_threads; print(set_threads('auto'))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "1"


def test_torch_really_runs_with_no_more_threads_than_that():
    """Counted by the system while a product runs, in a process of its own that asked for one thread."""
    program = (
        "import os, threading, torch\n"
        "from experiments.run.threads import set_threads\n"
        "set_threads(1)\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "a = torch.rand(600, 600)\n"
        "for _ in range(20): a = (a @ a).softmax(-1)\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("threads are counted in /proc")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "0"
