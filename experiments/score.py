"""Score saved predictions anew, without a model: python -m experiments.score runs/mini_ablation scorer=contains

Writes runs/<sweep>@<scorer>/ beside the sweep, cell by cell, and its table; the sweep itself is left as it is.
scorer=llm_judge asks a language model; --dry-run tells what that takes. With --from FORMAT what another tool has
written is read in the sweep's place, and without a scorer its own verdicts are kept.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from intpv.errors import BadInput
from intpv.exchange.imported import FORMATS, read_file
from intpv.metrics.cell import cell_metrics
from intpv.record.atomic import write_json
from intpv.record.cell_id import config_hash
from intpv.record.lock import FILE as LOCK
from intpv.record.lock import lock
from intpv.record.run_folder import RunFolder
from intpv.record.samples import Sample, VideoFigures
from intpv.scorer.llm_judge import LLMJudge
from intpv.scorer.scorer import Scorer

from .run.ask_judge import ask_judge
from .run.command import command_line, read_command_line, run_config
from .run.imported import write_cell
from .run.messages import explained
from .run.options import options_of
from .run.sibling import analysis


def main() -> None:
    parser = command_line("score", "Score the saved predictions of a sweep anew, or those of another tool.")
    parser.add_argument("sweep", type=Path, help="its folder, as runs/mine; with --from a file")
    parser.add_argument("--from", dest="format", choices=FORMATS, help="whose file it is")
    parser.add_argument(
        "--dry-run", action="store_true", help="only tell what a judge would be asked, and what it costs"
    )
    with explained("score"):
        arguments = read_command_line(parser, "scorer=contains, and its fields as scorer.FIELD=VALUE")
        for change in arguments.override:
            if not change.startswith(("scorer=", "scorer.")):
                raise BadInput(f"only scorer=... and its fields change a score, got {change}")
        if any(change.startswith("scorer.likelihood=") for change in arguments.override):
            raise BadInput("scorer.likelihood is what a run asks its model for: what was the likeliest option stays")
        named = any(change.startswith("scorer=") for change in arguments.override)
        if not named and not arguments.format:
            raise BadInput(f"scorer must be named: scorer=..., one of {', '.join(options_of('scorer'))}")
        # before anything dear is imported
        cells = [] if arguments.cfg or arguments.format else cells_of(arguments.sweep)
        config, choices = run_config(arguments.override, arguments.cfg)
        scorer = instantiate(config["scorer"]) if named else None
        name = _name(scorer, str(choices["scorer"]), config["scorer"], len(arguments.override) > 1)
        if arguments.dry_run and not isinstance(scorer, LLMJudge):
            raise BadInput("--dry-run tells what a judge would cost: it needs scorer=llm_judge")
        if arguments.format:
            complete = _score_file(arguments.format, arguments.sweep, scorer, name, arguments.dry_run)
        else:
            assert scorer is not None  # without a format it is named
            complete = rescore(cells, scorer, name, arguments.dry_run)
        if not complete:
            sys.exit(1)


def _name(scorer: Scorer | None, choice: str, config: Mapping[str, Any], fields: bool) -> str:
    """Behind the @ of a folder; two of one scorer that differ in their fields are two folders."""
    if isinstance(scorer, LLMJudge):
        return scorer.folder_name
    return choice + (f"-{config_hash(config)[:8]}" if fields else "")


def cells_of(sweep: Path) -> list[Path]:
    """The folders in it that anything was run in."""
    cells = [status.parent for status in sorted(sweep.glob("*/status.json"))]
    if not cells:
        raise BadInput(f"{sweep} holds no cells: give a folder as runs/<sweep>")
    return cells


def rescore(cells: list[Path], scorer: Scorer, name: str, dry_run: bool = False) -> bool:
    """Write the folder of re-scored cells beside theirs, and its table; whether every answer could be scored."""
    target = Path(f"{cells[0].parent}@{name}")
    readable = []
    for cell in cells:
        state = RunFolder(cell).state()
        if state.status in ("damaged", "newer"):
            print(f"left out: {state.reason}", file=sys.stderr)
        else:
            readable.append(cell)
    failed: set[str] = set()
    if isinstance(scorer, LLMJudge):
        done = [cell for cell in readable if RunFolder(cell).status() == "done"]
        failed = set(ask_judge(scorer, [line for cell in done for line in RunFolder(cell).samples()], dry_run).failed)
    if dry_run:
        return True
    written = [cell for cell in readable if not _lacks(cell, scorer, failed)]
    for cell in written:
        with lock(target / cell.name):
            shutil.copytree(cell, target / cell.name, dirs_exist_ok=True, ignore=shutil.ignore_patterns(LOCK))
            run = RunFolder(target / cell.name)
            if run.status() == "done":
                _rescore_cell(run, scorer)
    if written:
        _summarise(target, scorer, name)
    return len(written) == len(readable)


def _lacks(cell: Path, scorer: Scorer, failed: set[str]) -> bool:
    """Whether a judge still owes the cell a verdict; it is left for the next time."""
    if not failed or not isinstance(scorer, LLMJudge):
        return False
    lacking = sum(scorer.key(line) in failed for line in RunFolder(cell).samples())
    if lacking:
        print(f"left out: {cell.name} waits for {lacking} verdicts", file=sys.stderr)
    return bool(lacking)


def _rescore_cell(run: RunFolder, scorer: Scorer) -> None:
    records = [_scored(record, scorer) for record in run.samples()]
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


def _scored(record: Sample, scorer: Scorer) -> Sample:
    return {**record, **scorer.scored(record)}  # type: ignore[typeddict-item]


def _score_file(format: str, file: Path, scorer: Scorer | None, name: str, dry_run: bool) -> bool:
    """Write runs/<file>@<scorer>/ from what another tool has written; whether every answer could be scored."""
    found = read_file(format, file)
    if scorer is None and not found.scored:
        raise BadInput(f"{file} holds no verdicts of its own: scorer=..., one of {', '.join(options_of('scorer'))}")
    if isinstance(scorer, LLMJudge) and (ask_judge(scorer, found.samples, dry_run).failed or dry_run):
        return dry_run
    records = [_scored(line, scorer) for line in found.samples] if scorer else list(found.samples)
    target = Path("runs") / f"{file.stem}@{name if scorer else format}"
    write_cell(found, records, target, file)
    for metric, value in sorted((found.stated or {}).items()):
        print(f"{file.name}: {format} states {metric} {value:g}", file=sys.stderr)
    _summarise(target, scorer, name if scorer else f"{format}'s own verdicts")
    return True


def _summarise(target: Path, scorer: Scorer | None, name: str) -> None:
    judge = {"judge": scorer.name, "model": scorer.model, "url": scorer.url} if isinstance(scorer, LLMJudge) else {}
    write_json(target / "scored.json", {"scorer": name, **judge})
    analysis("summary").summarise_sweep(target)


if __name__ == "__main__":
    main()
