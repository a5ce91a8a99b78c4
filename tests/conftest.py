"""Shapes written as jaxtyping types are checked in every test; one thread keeps runs comparable."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")

if not __debug__:
    raise pytest.UsageError("PYTHONOPTIMIZE takes away the asserts that tests are made of: unset it")

if (own := Path(__file__).parents[1] / "conf" / "local" / "default.yaml").exists():
    raise pytest.UsageError(f"{own} would be obeyed by the tests too: move it away meanwhile")

install_import_hook("intpv", "beartype.beartype")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Examples are in docstrings of intpv/: files of tests/, scripts among them, are not imported to look for more."""
    collectors = yield
    return [collector for collector in collectors if type(collector) is pytest.Module]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _each_alone(monkeypatch):
    """The same draws whatever ran before, no config folder of another test's, and no real-time process left behind: it
    would keep all others from running, its own children's helpers first."""
    import torch

    monkeypatch.setenv("INTPV_CONFIG_DIR", "")  # --config-dir sets it for the rest of a process
    torch.manual_seed(0)
    yield
    assert not hasattr(os, "SCHED_OTHER") or os.sched_getscheduler(0) == os.SCHED_OTHER
