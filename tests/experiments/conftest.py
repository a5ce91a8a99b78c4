"""One bench for all verbs, the evaluate verb in this process, which has paid for its imports, and a W&B of our own."""

import shutil
import sys

import pytest

from experiments.evaluate import main

from ..logger.wandb_server import KEY, WandbServer
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
        keys = {one.split("=")[0] for one in arguments}
        given = [one for one in bench.arguments(encoder) if "cache=off" not in arguments or "cache." not in one]
        given = [one for one in given if one.split("=")[0] not in keys]
        # more threads would wait for each other on tensors this small, and a process keeps what it was first given
        flags = [one for one in arguments if one.startswith("-")]  # argparse takes none in the middle
        logger = [] if any(one.startswith("logger=") for one in arguments) else ["logger=none"]
        own = [*logger, "trainer.threads=1", *given]
        monkeypatch.setattr(sys, "argv", ["evaluate", *flags, *own, *(one for one in arguments if one not in flags)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return run


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A W&B on this machine; this process' client knows no other, and asks again at once instead of after seconds."""
    import wandb

    server = WandbServer()
    for name in ("MODE", "ENTITY", "PROJECT", "RUN_GROUP", "TAGS", "NAME", "DIR", "SWEEP_ID", "RUN_ID"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    variables = {"BASE_URL": server.url, "API_KEY": KEY}
    variables |= {f"{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "CACHE", "DATA")}
    for client in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER"):
        own = {"RETRY_WAIT_MIN_SECONDS": 0.01, "RETRY_WAIT_MAX_SECONDS": 0.05, "TIMEOUT_SECONDS": 1}
        variables |= {f"_{client}_{key}": str(value) for key, value in own.items()}
    for name, value in variables.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    wandb.teardown()  # it has read its variables once and for all
    yield server
    wandb.teardown()
    server.http.shutdown()
    assert not server.wrong
