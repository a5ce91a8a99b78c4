"""One bench for all verbs, and the evaluate verb in this process, which has paid for its imports."""

import shutil
import sys

import pytest

from experiments.evaluate import main

from .cli import Bench


@pytest.fixture(scope="session")
def one_bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def bench(one_bench):
    """Checkpoints, clips and cache are everyone's; runs are the file's own: two files may name a sweep alike."""
    shutil.rmtree(one_bench.folder / "runs", ignore_errors=True)
    return one_bench


@pytest.fixture
def evaluate(bench, monkeypatch, capsys):
    """The verb in this process, which has paid for its imports: (exit code, what it said)."""

    def run(*arguments: str, encoder: str = "languagebind") -> tuple[int, str]:
        monkeypatch.chdir(bench.folder)
        given = [one for one in bench.arguments(encoder) if "cache=off" not in arguments or "cache." not in one]
        # more threads would wait for each other on tensors this small, and a process keeps what it was first given
        flags = [one for one in arguments if one.startswith("-")]  # argparse takes none in the middle
        own = ["logger=none", "trainer.threads=1", *given]
        monkeypatch.setattr(sys, "argv", ["evaluate", *flags, *own, *(one for one in arguments if one not in flags)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return run
