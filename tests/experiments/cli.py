"""A bench to run the verbs on: a folder with tiny checkpoints in it and clips that are rendered once."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from intpv.model.mini import save

from ..tiny import SIZES, tiny_model

ROOT = Path(__file__).parents[2]


class Bench:
    """Runs the real command line in its folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        for encoder in ("languagebind", "per_frame"):
            save(folder / encoder, tiny_model(encoder), {"steps": 0})

    def arguments(self, encoder: str = "languagebind") -> list[str]:
        sizes = [f"encoder.{key}={value}" for key, value in {**SIZES, "llm_width": 64}.items()]
        paths = [f"model.path={self.folder / encoder}", f"data.root={self.folder / 'clips'}", "data.limit=2"]
        return [f"encoder={encoder}", *sizes, *paths, f"cache.dir={self.folder / 'cache'}"]

    def command(self, *arguments: str) -> list[str]:
        """What is not given is the bench's own."""
        given = {one.split("=")[0] for one in arguments}
        own = [one for one in self.arguments() if one.split("=")[0] not in given]
        return [sys.executable, "-m", "experiments.evaluate", *arguments, *own]

    def run(self, *arguments: str, code: int = 0) -> str:
        command = self.command(*arguments)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        assert not {"Traceback", "raised"} & set(re.findall(r"\w+", done.stdout + done.stderr))
        return done.stdout + done.stderr

    def cells(self, sweep: str) -> dict[str, Path]:
        return {path.parent.name: path.parent for path in (self.folder / "runs" / sweep).glob("*/status.json")}

    def start(self, *arguments: str) -> subprocess.Popen:
        """The same in a process group of its own, to be killed."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=environment, start_new_session=True, **pipes
        )


def read(folder: Path, name: str):
    return json.loads((folder / name).read_text())


def interrupt(process: subprocess.Popen) -> tuple[str, str]:
    """Ctrl-C, as a terminal sends it to the whole group -> what it said."""
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=60)
