"""Shapes written as jaxtyping types are checked in every test; one thread keeps runs comparable."""

import inspect
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import jaxtyping
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of `make slow &` in a script: children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

if not __debug__:
    raise pytest.UsageError("PYTHONOPTIMIZE takes away the asserts that tests are made of: unset it")

if (own := Path(__file__).parents[1] / "conf" / "local" / "default.yaml").exists():
    raise pytest.UsageError(f"{own} would be obeyed by the tests too: move it away meanwhile")

_jaxtyped = jaxtyping.jaxtyped


def _typed(*, typechecker: Any) -> Callable[[Any], Any]:
    """What the import hook puts around every function and dataclass.

    For the sake of shapes jaxtyping binds a call's arguments anew, and checks them twice: where a function names no
    shape, beartype alone checks them.
    """
    return partial(_checked, typechecker=typechecker)


def _checked(made: Any, typechecker: Any) -> Any:
    if isinstance(made, type):
        if is_dataclass(made) and "__init__" in vars(made):
            made.__init__ = _checked(made.__init__, typechecker)
        return made
    if not inspect.isfunction(made) or any(map(_may_name_a_shape, made.__annotations__.values())):
        return _jaxtyped(made, typechecker=typechecker)
    return typechecker(made)


def _may_name_a_shape(hint: Any) -> bool:
    """Of a name in quotes nobody knows yet what it stands for."""
    if isinstance(hint, list | tuple):  # of a callable's arguments
        return any(map(_may_name_a_shape, hint))
    kind = type(hint)
    return (
        kind.__name__ in ("str", "ForwardRef")
        or kind.__module__.partition(".")[0] == "jaxtyping"
        or any(map(_may_name_a_shape, get_args(hint)))
    )


jaxtyping.jaxtyped = _typed
jaxtyping.install_import_hook("intpv", "beartype.beartype")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Examples are in docstrings of intpv/: files of tests/, scripts among them, are not imported to look for more."""
    collectors = yield
    return [collector for collector in collectors if type(collector) is pytest.Module]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def _seed():
    """Where there is no GPU, torch.manual_seed only notes where it was called from, in milliseconds for each test."""
    import torch

    return torch.manual_seed if torch.cuda.is_available() else torch.default_generator.manual_seed


@pytest.fixture(autouse=True)
def _each_alone(monkeypatch, _seed):
    """The same draws whatever ran before, no config folder of another test's, and no real-time process left behind: it
    would keep all others from running, its own children's helpers first."""
    monkeypatch.setenv("INTPV_CONFIG_DIR", "")  # --config-dir sets it for the rest of a process
    _seed(0)
    yield
    assert not hasattr(os, "SCHED_OTHER") or os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.fixture
def run_verb(monkeypatch, capsys):
    """A verb's main under a command line of its own -> (exit code, standard output, standard error)."""

    def run(main: Callable[[], int | None], *arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [main.__module__.rpartition(".")[2], *map(str, arguments)])
        try:
            code = main() or 0
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return run
