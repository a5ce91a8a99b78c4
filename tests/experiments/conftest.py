"""One bench for all verbs, and the evaluate verb in this process, which has paid for its imports."""

import sys

import pytest

from experiments.evaluate import main

from .bench import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def evaluate(bench, monkeypatch, capsys):
    """The verb in this process, which has paid for its imports: (exit code, what it said)."""

    def run(*arguments: str, encoder: str = "languagebind") -> tuple[int, str]:
        monkeypatch.chdir(bench.folder)
        given = [one for one in bench.arguments(encoder) if "cache=off" not in arguments or "cache." not in one]
        # more threads would wait for each other on tensors this small, and a process keeps what it was first given
        monkeypatch.setattr(sys, "argv", ["evaluate", "logger=none", "trainer.threads=1", *given, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return run
