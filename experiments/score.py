"""Score saved predictions anew, without a model: python -m experiments.score runs/mini_ablation scorer=contains

Writes runs/<sweep>@<scorer>/ beside the sweep, cell by cell, and its table; the sweep itself is left as it is.
"""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

from hydra.utils import instantiate

from intpv.errors import BadInput
from intpv.metrics.cell import cell_metrics
from intpv.record.cell_id import config_hash
from intpv.record.lock import FILE as LOCK
from intpv.record.lock import lock
from intpv.record.run_folder import RunFolder
from intpv.record.samples import VideoFigures
from intpv.scorer.scorer import Scorer

from .run.command import command_line, read_command_line, run_config
from .run.messages import explained
from .run.options import options_of
from .run.sibling import analysis


def main() -> None:
    parser = command_line("score", "Score the saved predictions of a sweep anew.")
    parser.add_argument("sweep", type=Path)
    with explained("score"):
        arguments = read_command_line(parser, "scorer=contains, and its fields as scorer.FIELD=VALUE")
        for change in arguments.override:
            if not change.startswith(("scorer=", "scorer.")):
                raise BadInput(f"only scorer=... and its fields change a score, got {change}")
        if any(change.startswith("scorer.likelihood=") for change in arguments.override):
            raise BadInput("scorer.likelihood is what a run asks its model for: what was the likeliest option stays")
        if not any(change.startswith("scorer=") for change in arguments.override):
            raise BadInput(f"scorer must be named: scorer=..., one of {', '.join(options_of('scorer'))}")
        cells = [] if arguments.cfg else cells_of(arguments.sweep)  # before anything dear is imported
        config, choices = run_config(arguments.override, arguments.cfg)
        fields = len(arguments.override) > 1  # two of one scorer that differ in them are two folders
        name = f"{choices['scorer']}" + (f"-{config_hash(config['scorer'])[:8]}" if fields else "")
        analysis("summary").summarise_sweep(rescore(cells, instantiate(config["scorer"]), name))


def cells_of(sweep: Path) -> list[Path]:
    """The folders in it that anything was run in."""
    cells = [status.parent for status in sorted(sweep.glob("*/status.json"))]
    if not cells:
        raise BadInput(f"{sweep} holds no cells: give a folder as runs/<sweep>")
    return cells


def rescore(cells: list[Path], scorer: Scorer, name: str) -> Path:
    """The folder of re-scored cells, beside theirs."""
    target = Path(f"{cells[0].parent}@{name}")
    for cell in cells:
        state = RunFolder(cell).state()
        if state.status in ("damaged", "newer"):
            print(f"left out: {state.reason}", file=sys.stderr)
            continue
        with lock(target / cell.name):
            shutil.copytree(cell, target / cell.name, dirs_exist_ok=True, ignore=shutil.ignore_patterns(LOCK))
            run = RunFolder(target / cell.name)
            if run.status() == "done":
                _rescore_cell(run, scorer)
    return target


def _rescore_cell(run: RunFolder, scorer: Scorer) -> None:
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
