"""Score saved predictions anew, without a model: python -m experiments.score runs/mini_ablation --scorer contains

Writes runs/<sweep>@<scorer>/ beside the sweep, cell by cell, and its table; the sweep itself is left as it is.
"""

import argparse
import shutil
from pathlib import Path
from types import SimpleNamespace

import yaml
from hydra.utils import instantiate

from intpv.errors import BadInput
from intpv.measure.cell import cell_metrics
from intpv.record.run_folder import RunFolder
from intpv.record.videos import VideoFigures

from .command_line import CONF, explained
from .sibling import analysis

SCORERS = CONF / "scorer"


def main() -> None:
    scorers = sorted(file.stem for file in SCORERS.glob("*.yaml"))
    parser = argparse.ArgumentParser(prog="score", description="Score the saved predictions of a sweep anew.")
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--scorer", choices=scorers, required=True)
    arguments = parser.parse_args()
    with explained("score"):
        analysis("summary").summarise_sweep(rescore(arguments.sweep, arguments.scorer))


def rescore(sweep: Path, name: str) -> Path:
    """The folder of re-scored cells."""
    cells = [status.parent for status in sorted(sweep.glob("*/status.json"))]
    if not cells:
        raise BadInput(f"{sweep} holds no cells: give a folder as runs/<sweep>")
    scorer, target = instantiate(yaml.safe_load((SCORERS / f"{name}.yaml").read_text())), Path(f"{sweep}@{name}")
    for cell in cells:
        shutil.copytree(cell, target / cell.name, dirs_exist_ok=True)
        run = RunFolder(target / cell.name)
        if run.status() == "done":
            _rescore_cell(run, scorer)
    return target


def _rescore_cell(run: RunFolder, scorer) -> None:
    records = run.samples()
    for record in records:
        if record["prediction"] is not None:
            asked = SimpleNamespace(answer=record["answer"], options=record["options"])
            score = scorer.score(record["prediction"], asked)
            record |= {"correct": score.correct, "valid": score.valid}
    figures = VideoFigures(run.path).read()
    known = ("frames", "groups", "rearrangement_is_noop")
    # flips and garbled output are the old scorer's
    kept = {
        key: value
        for key, value in run.metrics().items()
        if key in known or key.startswith(("attention_kl/", "signature/"))
    }
    kept = {key: value for key, value in kept.items() if not key.startswith("signature/garbled_output")}
    run.finish({**cell_metrics(records, figures), **kept}, records)


if __name__ == "__main__":
    main()
