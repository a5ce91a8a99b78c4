"""TensorBoard as a user has it: `tensorboard --logdir` on what cells have left, and a browser that shows them."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from intpv.logger.mirror import Figure

from ..browser import CHROMIUM, loaded
from .test_lightning import CURVES, mirror

pytestmark = pytest.mark.slow  # a server and a browser
CELLS = {  # cell -> strategy, its settings, F, metrics; the first one has fewer of each than the others
    "none-f8": ("none", {}, 8, {}),
    "yarn-f8": ("yarn", {"factor": 1.5}, 8, {"accuracy": 0.75, "attention_kl/end_to_end/all/mean": 0.0625}),
    "yarn-f64": ("yarn", {"factor": 8.0}, 64, {"accuracy": 0.5, "attention_kl/end_to_end/all/mean": 0.25}),
}


@pytest.fixture
def log(tmp_path):
    """Three cells, of which the first has failed, and their summary."""
    Image.fromarray(np.full((20, 30, 3), 200, np.uint8)).save(tmp_path / "memory.png")
    folder = tmp_path / "log"
    for cell, (option, strategy, frames, metrics) in CELLS.items():
        tensorboard = mirror("tensorboard", folder)
        tensorboard.start(
            "mine", cell, {"frames": frames, "seed": 0, "rope_strategy": strategy}, {"rope_strategy": option}
        )
        if metrics:
            tensorboard.figures([Figure("memory", tmp_path / "memory.png", [{"part": "codes", "bytes": 7}])])
        tensorboard.finish(metrics, failed=not metrics)
    mirror("tensorboard", folder).summary("mine", [], CURVES)
    return folder


@contextmanager
def served(log):
    """The address of `tensorboard --logdir LOG`, once it answers."""
    said = log.parent / "said"
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log), "--host", "localhost", "--port", "0"]
    with said.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ}) as process:
        try:
            deadline = time.monotonic() + 100
            while not (found := re.search(r"http://localhost:\d+/", said.read_text())):
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            while len(get(found[0], "data/runs")) < len(CELLS) + 1:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield found[0]
        finally:
            process.terminate()


def get(address, path, asked=None):
    data = None if asked is None else json.dumps(asked).encode()
    with urlopen(Request(address + path, data, {"Content-Type": "application/json"}), timeout=60) as answer:
        return json.load(answer)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_its_server_knows_which_settings_differ_and_a_browser_shows_runs_and_metrics(log, tmp_path):
    pytest.importorskip("tensorboardX", reason="the logger needs it")
    pytest.importorskip("tensorboard.main", reason="pip install tensorboard")
    runs = {f"mine/{cell}" for cell in (*CELLS, "summary")}
    with served(log) as address:
        assert set(get(address, "data/runs")) == runs
        tags = get(address, "data/plugin/scalars/tags")
        assert {run: set(found) for run, found in tags.items()} == {
            **{f"mine/{cell}": {*metrics, "failed"} for cell, (*_, metrics) in CELLS.items()},
            "mine/summary": {"slow/none", "slow/yarn"},
        }
        experiment = get(address, "data/plugin/hparams/experiment", {})
        differs = {one["name"]: one["differs"] for one in experiment["hparamInfos"]}
        assert differs == {"frames": True, "rope_strategy": True, "rope_strategy.factor": True, "seed": False}
        assert {one["name"]["tag"] for one in experiment["metricInfos"]} >= {*CELLS["yarn-f8"][3], "failed"}

        document, console = loaded(f"{address}#timeseries", tmp_path / "profile")
    shown = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", document, flags=re.DOTALL)
    for wanted in (*runs, "accuracy", "attention_kl", "failed", "figures", "slow"):
        assert wanted in shown
    assert not re.search(r'CONSOLE.*"(Uncaught|Failed|Error)', console), console
