"""Submitit: a sweep as jobs of Slurm, or, to try it, as processes that submitit starts here.

A job takes batches of cells and is a crew of its own on its node: one worker per GPU that the job was given, with all
that a crew does for a worker that dies. Each cell is locked by who runs it, so that no two jobs do one twice. A job
that is preempted or out of time is requeued and goes on with the next video; `python -m experiments.status` tells
meanwhile.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from intpv.bounds import check_whole
from intpv.errors import BadInput
from intpv.record.run_folder import RunFolder

from ..run.outcome import console
from ..run.progress import Progress
from . import crew
from .crew import Patience
from .devices import count, grouped, visible
from .plan import Planned, batches

LOGS = ".submitit"  # in the sweep's folder
TOLD = ("done", "failed", "crash", "disk", "busy", "warning")  # events that a job hands back
CLUSTERS = ("slurm", "local")  # submitit's own words


@dataclass(frozen=True)
class Task:
    """What one job runs. Called on its node, and again wherever it is requeued: what is done is then passed over."""

    batches: Sequence[Sequence[Planned]]
    workers: int | str
    gpus: int  # per worker
    patience: Patience

    @property
    def cells(self) -> list[Planned]:
        return [cell for batch in self.batches for cell in batch]

    def __call__(self) -> list[tuple[str, dict]]:
        """(cell, event) of what became of each."""
        told = []

        def on_event(_: int, cell: Planned | None, event: dict) -> None:
            if cell is not None and event["event"] in TOLD:
                told.append((cell.name, event))

        devices = grouped(visible(), self.gpus)
        number = count(self.workers, devices)
        crew.run(self.batches, number, crew.processes(number, devices), on_event, self.patience)
        return told

    def checkpoint(self) -> Any:
        """Submitit asks for it before a job is ended; the run folders hold all that there is to keep."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass(frozen=True)
class SubmititEngine:
    """Runs a plan as jobs; BadInput where submitit, or Slurm, is not there."""

    cluster: str  # one of CLUSTERS
    jobs: int = 8  # at once, and at most: each takes its share of the batches
    requeues: int = 10  # of a job that was preempted or out of time
    poll_s: float = 5  # seconds between two looks at what has ended
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of submitit's AutoExecutor

    def __post_init__(self) -> None:
        if self.cluster not in CLUSTERS:
            raise BadInput(f"hydra.launcher.engine.cluster must be one of {', '.join(CLUSTERS)}, got {self.cluster}")
        check_whole("hydra.launcher.engine.jobs", self.jobs)
        check_whole("hydra.launcher.engine.requeues", self.requeues, 0)
        if not (type(self.poll_s) in (int, float) and 0 < self.poll_s < float("inf")):
            raise BadInput(f"hydra.launcher.engine.poll_s must be a number of seconds above 0, got {self.poll_s}")
        if not find_spec("submitit"):
            raise BadInput("the chosen launcher needs a package that is not installed here: pip install submitit")
        if self.cluster == "slurm" and not shutil.which("sbatch"):
            raise BadInput(
                "hydra/launcher=slurm needs sbatch, which is not found here: start it where jobs are submitted; "
                "hydra/launcher=slurm_local tries the same on this machine"
            )

    def run(
        self, cells: Sequence[Planned], workers: int | str, gpus: int, on_event: Callable, patience: Patience
    ) -> None:
        """Run all cells and hand on what the jobs tell; the cells of a job that was lost get an event `lost`.

        After Ctrl-C the jobs are cancelled: the same command goes on with what they had not done.
        """
        from submitit.helpers import as_completed

        tasks = [Task(share, workers, gpus, patience) for share in dealt(batches(cells, self.jobs), self.jobs)]
        folder = cells[0].folder.parent.absolute() / LOGS
        submitted = self._submit(tasks, folder)
        console.print(f"{len(submitted)} jobs submitted, their logs are in {folder}", soft_wrap=True, highlight=False)
        try:
            for job in as_completed(submitted, poll_frequency=self.poll_s):
                _hand_on(tasks[submitted.index(job)], job, on_event)
        except BaseException:
            for job in submitted:
                job.cancel(check=False)
            raise

    def _submit(self, tasks: Sequence[Task], folder: Path) -> list[Any]:
        import submitit

        often = {f"{self.cluster}_max_num_timeout": self.requeues}
        executor = submitit.AutoExecutor(folder=folder, cluster=self.cluster, **often)
        try:
            executor.update_parameters(name=folder.parent.name, **self.parameters)
        except (
            NameError,
            TypeError,
            ValueError,
            AssertionError,
        ) as error:  # a key or value unknown to it
            said = " ".join(str(error).split())
            raise BadInput(f"hydra.launcher.engine.parameters are not what submitit takes: {said}") from None
        with _importable():
            return executor.submit_array(tasks)


def dealt(planned: Sequence[Sequence[Planned]], jobs: int) -> list[list[Sequence[Planned]]]:
    """The batches as at most `jobs` shares of about as many cells, in their order: neighbours share tower outputs."""
    cells = sum(map(len, planned))
    shares: dict[int, list[Sequence[Planned]]] = {}
    before = 0
    for batch in planned:
        middle = before + len(batch) / 2
        shares.setdefault(min(int(middle * jobs / cells), jobs - 1), []).append(batch)
        before += len(batch)
    return list(shares.values())


def _hand_on(task: Task, job: Any, on_event: Callable) -> None:
    error = job.exception()
    if error is None:
        cells = {cell.name: cell for cell in task.cells}
        for name, event in job.result():
            on_event(0, cells[name], event)
        return
    said = (str(error).strip() or type(error).__name__).splitlines()[-1]
    fate = f"job {job.job_id} ended before it was done: {said}; the same command goes on with it"
    for cell in task.cells:
        if cell.status == "done":
            Progress(partial(on_event, 0, cell)).cell_done(cell.folder, RunFolder(cell.folder).metrics())
        else:
            on_event(0, cell, {"event": "lost", "cell": cell.name, "fate": fate})


@contextmanager
def _importable() -> Iterator[None]:
    """A job imports what this process can, wherever it starts."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
