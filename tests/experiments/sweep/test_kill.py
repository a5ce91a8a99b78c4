"""kill -9 at any moment loses at most the video in flight: many kills, and the folder is that of a run without a break.

The cell runs in a fork of this process, which has paid for the imports and loaded the model; each fork is killed at a
random moment, the next one goes on.
"""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from experiments.run.cell_config import plain_config
from experiments.run.names import chosen, register_resolvers
from experiments.run.progress import Progress
from intpv.options import CONF
from intpv.record.run_folder import RunFolder

VIDEOS = 12
KILLS = int(os.environ.get("INTPV_KILLS", "40"))  # 100 were tried as well


def configured(bench, *arguments: str) -> tuple[dict, dict]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        given = [one for one in bench.arguments() if not one.startswith("data.limit")]
        overrides = [
            *given,
            f"data.limit={VIDEOS}",
            "logger=none",
            "trainer.threads=1",
            "sweep.name=killed",
            *arguments,
        ]
        composed = compose("config", overrides, return_hydra_config=True)
    return plain_config(composed), chosen(composed.hydra.runtime.choices)


def forked(config: dict, choices: dict, folder: Path) -> tuple[int, int]:
    """(process id, the end of a pipe that gets a byte for every video that is said to be answered)."""
    from experiments.run.cell import run_cell

    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        say = {"video": b"v", "done": b"d"}
        run_cell(config, choices, folder, Progress(lambda event: os.write(writing, say.get(event["event"], b""))))
        code = 0
    finally:
        os._exit(code)


def ended(child: int, reading: int) -> tuple[int, bytes]:
    """(exit status as the system gives it, what the pipe said)."""
    said = b""
    while part := os.read(reading, 4096):
        said += part
    os.close(reading)
    return os.waitpid(child, 0)[1], said


def without_times(folder: Path) -> dict:
    metrics = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in metrics.items() if not name.startswith(("time/", "cache/"))}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_hundred_kills_lose_nothing(bench, tmp_path, record_property):
    from experiments.run import build
    from experiments.run.cell import run_cell

    config, choices = configured(bench, "frames=16", "kv_quant=int2")
    questions = {item.id: [question.id for question in item.questions] for item in build.benchmark(config).items()}
    run_cell(config, choices, tmp_path / "whole", Progress(lambda event: None))  # loads once what forks inherit
    start = time.monotonic()
    assert ended(*forked(config, choices, tmp_path / "timed"))[0] == 0
    duration = time.monotonic() - start

    rng, kills, finished, lost = random.Random(0), 0, 0, 0
    while kills < KILLS:
        folder = tmp_path / f"cell{finished}"
        before = RunFolder(folder).complete(questions)
        child, reading = forked(config, choices, folder)
        time.sleep(rng.uniform(0, 1.2 * duration))
        os.kill(child, signal.SIGKILL)
        status, said = ended(child, reading)
        kills += os.WIFSIGNALED(status)
        after = RunFolder(folder).complete(questions)
        assert before <= after, "an answer that was there is gone"
        new = len(after) - len(before)
        assert said.count(b"v") <= new <= said.count(b"v") + 1  # the last one may be written and not yet said
        lost += new - said.count(b"v")
        if os.WIFEXITED(status) or RunFolder(folder).status() == "done":
            finished += 1
    folder = tmp_path / f"cell{finished}"
    assert ended(*forked(config, choices, folder))[0] == 0
    for number in range(finished + 1):
        cell = tmp_path / f"cell{number}"
        assert (cell / "samples.jsonl").read_bytes() == (tmp_path / "whole" / "samples.jsonl").read_bytes()
        assert without_times(cell) == without_times(tmp_path / "whole")
        assert {file.name for file in cell.iterdir()} >= {file.name for file in (tmp_path / "whole").iterdir()}
    record_property("kills", kills)
    record_property("cells", finished + 1)
    record_property("written_and_not_yet_said", lost)
