"""Imported cells: predictions of other tools as a run folder, so that tables and intervals take them as ours."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from intpv.errors import BadInput
from intpv.exchange.imported import Imported
from intpv.metrics.cell import cell_metrics
from intpv.record.atomic import write_text
from intpv.record.cell_id import cell_name
from intpv.record.composed import read_composed
from intpv.record.lock import lock
from intpv.record.run_folder import RunFolder
from intpv.record.samples import Sample


def write_cell(imported: Imported, records: Sequence[Sample], target: Path, file: Path | None = None) -> Path:
    """The cell's folder in `target`, named by model and task. BadInput where it is of another file than `file`."""
    choices = {"model": imported.model, "data": imported.task}  # of the others nothing is told
    cell = target / cell_name({"model": imported.model, "data": imported.task, "frames": imported.frames})
    source = str(file.resolve()) if file else None
    with lock(cell):
        before = read_composed(cell)
        if before and (other := before.config.get("file")) != source:
            raise BadInput(f"{cell} is of {other}, must not be overwritten: rename {file} or {target}")
        files = {
            "config": {"frames": imported.frames, "file": source},
            "hydra": {"hydra": {"runtime": {"choices": choices}}},
        }
        (cell / ".hydra").mkdir(parents=True, exist_ok=True)
        for name, content in {**files, "overrides": []}.items():
            write_text(cell / ".hydra" / f"{name}.yaml", yaml.safe_dump(content))
        run = RunFolder(cell)
        run.open({})
        run.finish({"frames": imported.frames, **cell_metrics(records, {})}, records)
    return cell
