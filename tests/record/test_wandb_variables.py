"""W&B's own variables are obeyed where the config says nothing, each tried in a process of its own."""

import json
import os
import subprocess
import sys
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from .wandb_files import ended_runs

ROOT = Path(__file__).parents[2]
CELL = """
import json, sys, time
from hydra.utils import instantiate
mirror = instantiate(json.loads(sys.argv[1]))
mirror.start("sweep", "cell", {"frames": 8, "environment": {"commit": "0123", "clean": True}}, {"kv_quant": "int2"})
time.sleep(float(sys.argv[2]))
mirror.finish({"accuracy": 0.5}, failed=False)
mirror.summary("sweep", [{"cell": "a"}], [])
print(mirror.strips)
"""


def run(folder, variables, seconds=0.0, **config):
    """The option of conf/ with changes, in a folder, with these variables and no others of W&B's -> (out, err)."""
    option = yaml.safe_load((ROOT / "conf" / "logger" / "wandb.yaml").read_text()) | config
    plain = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    environment = {**plain, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(folder / "home"), **variables}
    command = [sys.executable, "-c", CELL, json.dumps(option), str(seconds)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 or "BadInput" in done.stderr, done.stderr
    return done.stdout, done.stderr


def cell_of(folder):
    """The cell's run and not the summary's."""
    return next(one for one in ended_runs(folder, 2).values() if "accuracy" in one.metrics)


def test_disabled_leaves_nothing_and_shows_no_frames(tmp_path):
    out, err = run(tmp_path, {"WANDB_MODE": "disabled"})
    assert (out, err) == ("0\n", "")
    assert not list(tmp_path.rglob("*wandb*"))


def test_without_variables_the_conventions_hold(tmp_path):
    assert run(tmp_path, {})[1] == ""
    found = cell_of(tmp_path)
    assert (found.project, found.group, found.name, found.job_type) == ("intpv", "sweep", "cell", "cell")
    assert (found.entity, found.notes, found.tags) == ("", "", ["kv_quant=int2"])
    assert found.config["environment"] == {"commit": "0123", "clean": True}


def test_all_that_describes_a_run_is_obeyed(tmp_path):
    names = {"PROJECT": "mine", "ENTITY": "lab", "NAME": "first", "RUN_GROUP": "grid", "JOB_TYPE": "probe"}
    names |= {"NOTES": "a try", "TAGS": "paper, v2", "DIR": str(tmp_path / "elsewhere"), "MODE": "dryrun"}
    run(tmp_path, {f"WANDB_{name}": value for name, value in names.items()})
    assert not (tmp_path / "wandb").exists()
    found = cell_of(tmp_path / "elsewhere")
    assert (found.project, found.entity, found.name, found.group) == ("mine", "lab", "first", "grid")
    assert (found.job_type, found.notes, found.tags) == ("probe", "a try", ["kv_quant=int2", "paper", "v2"])


def test_the_config_comes_first(tmp_path):
    names = {"PROJECT": "mine", "ENTITY": "lab", "NOTES": "a try", "TAGS": "paper", "MODE": "disabled", "DIR": "away"}
    config = {"project": "p", "entity": "e", "notes": "n", "tags": ["t"], "offline": True, "dir": "here"}
    run(tmp_path, {f"WANDB_{name}": value for name, value in names.items()}, **config)
    found = cell_of(tmp_path / "here")
    assert (found.project, found.entity, found.notes) == ("p", "e", "n")
    assert found.tags == ["kv_quant=int2", "paper", "t"]


def test_a_run_id_for_all_cells_is_not_obeyed(tmp_path):
    run(tmp_path, {"WANDB_RUN_ID": "one"})
    assert "one" not in ended_runs(tmp_path, 2)


def test_silence_can_be_ended(tmp_path):
    assert "offline" in "".join(run(tmp_path, {"WANDB_SILENT": "false"}))


def test_a_mode_that_is_none_is_refused(tmp_path):
    assert "WANDB_MODE must be one of online, offline, disabled" in run(tmp_path, {"WANDB_MODE": "of"})[1]


@pytest.mark.slow
@pytest.mark.parametrize("system", [True, False])
def test_statistics_of_the_system_are_asked_for(tmp_path, system):
    run(tmp_path, {"WANDB_X_STATS_SAMPLING_INTERVAL": "0.2"}, seconds=3.0, system=system)
    assert bool(cell_of(tmp_path).system) == system


@pytest.mark.slow
def test_online_is_the_server_and_the_key_of_the_variables(tmp_path):
    keys = []

    class Refuses(BaseHTTPRequestHandler):
        def do_POST(self):
            keys.append(b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode())
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        variables = {"MODE": "online", "BASE_URL": f"http://127.0.0.1:{server.server_port}", "API_KEY": "k" * 40}
        _, err = run(
            tmp_path, {f"WANDB_{name}": value for name, value in variables.items()} | {"WANDB_INIT_TIMEOUT": "8"}
        )
    finally:
        server.shutdown()
    assert set(keys) - {""} == {f"api:{'k' * 40}"}  # what asks for the server's features needs none
    assert "Written offline" in err
    assert cell_of(tmp_path).metrics["accuracy"] == 0.5
