"""What a person sees of a sweep: how far it is, and at its end the table, the picture and what failed."""

import math
from importlib import import_module
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

failed: list[tuple[str, str]] = []  # cells of this process that could not be run, with the reason in one line
incomplete: list[str] = []  # cells in which some video failed
console = Console()


def exit_code() -> int:
    """0, or 1 when a cell failed or left a question unanswered."""
    return int(bool(failed or incomplete))


class _Display:
    """A bar over cells and one over the videos of the current cell; plain lines where there is no terminal."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
        self._cells = self._bars.add_task("cells", total=1)
        self._videos = self._bars.add_task("videos", total=None)
        self._total = 1

    def start(self, cells: int) -> None:
        self._total = cells
        self._bars.update(self._cells, total=cells)
        self._bars.start()

    def stop(self) -> None:
        self._bars.stop()

    def cell_started(self, folder: Path, videos: int, done: int) -> None:
        self._bars.start()
        self._bars.reset(self._videos, total=videos, completed=done, description=folder.name)

    def video_done(self) -> None:
        self._bars.advance(self._videos)

    def cell_done(self, folder: Path, metrics: dict) -> None:
        """Advance, and outside a terminal say it in a line."""
        self._bars.advance(self._cells)
        if metrics["coverage"] < 1:
            incomplete.append(folder.name)
        if not console.is_terminal:
            number = int(self._bars.tasks[0].completed)
            console.print(f"[{number}/{self._total}] {folder.name}: accuracy {metrics['accuracy']:.3f}", markup=False)


progress = _Display()


class SweepEnd(Callback):
    """Hydra calls this around a single run and around a multirun."""

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        progress.start(_cells(config))

    def on_multirun_end(self, config: DictConfig, **kwargs) -> None:
        progress.stop()
        _analysis("summary").summarise_sweep(Path(config.hydra.sweep.dir))
        _say_what_failed()

    def on_run_end(self, config: DictConfig, **kwargs) -> None:
        progress.stop()
        folder = Path(config.hydra.runtime.output_dir)
        done = [cell for cell in _analysis("runs").read_sweep(folder.parent) if cell.name == folder.name]
        if not failed:
            _analysis("table").print_table(done, console)
        console.print(folder, highlight=False)
        _say_what_failed()


def _analysis(module: str):
    """analysis.<module>; in the wheel both packages are inside intpv, and the other name would load it twice."""
    return import_module(f"{__package__.removesuffix('experiments')}analysis.{module}")


def _cells(config: DictConfig) -> int:
    """How many cells the sweeper will launch: the product of all choices on the command line and in the experiment."""
    params = config.hydra.sweeper.get("params") or {}
    overrides = OverridesParser.create().parse_overrides(
        [*config.hydra.overrides.task, *(f"{key}={value}" for key, value in params.items())]
    )
    return math.prod(len(list(one.sweep_string_iterator())) for one in overrides if one.is_sweep_override())


def _say_what_failed() -> None:
    for name, reason in failed:
        console.print(f"[red]failed[/] {escape(name)}: {escape(reason)}", soft_wrap=True)
    for name in incomplete:
        console.print(f"[yellow]incomplete[/] {escape(name)}: some videos could not be read, see samples.jsonl")
