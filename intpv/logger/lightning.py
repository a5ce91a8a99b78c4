"""LightningMirror: shows cells through a logger of Lightning, each cell in a folder of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from intpv.bounds import check_text
from intpv.errors import BadInput
from intpv.escape import markdown_line
from intpv.logger.mirror import Curve, Figure, Mirror, only_warn, series


@dataclass
class LightningMirror(Mirror):
    """Any logger that takes save_dir, name and version: `<dir>/<sweep>/<cell>/`, and `<dir>/<sweep>/summary/`.

    These loggers have no state of a run: the metric `failed` is 1 for a failed cell.
    """

    factory: Callable[..., Any]  # the logger's class, a Hydra _partial_
    dir: str
    files: Sequence[str]  # patterns of what the logger writes; those of an earlier attempt are removed
    install: str = ""  # what pip must install for it
    _logger: Any = field(default=None, init=False, repr=False)
    _config: dict = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_text("logger.dir", self.dir)
        if isinstance(self.files, str) or not isinstance(self.files, Sequence):
            raise BadInput(f"logger.files must be a list of patterns, got {self.files}")
        for pattern in self.files:
            check_text("logger.files", pattern)

    def start(self, sweep: str, cell: str, config: dict, choices: Mapping[str, str | None]) -> None:
        """The config is flattened to keys as the command line takes them; a chosen option stands under its group."""
        self._config = {**{group: option for group, option in choices.items() if option}, **flat(config)}
        self._logger = None
        with only_warn(self, but=(BadInput,)):
            self._logger = self._open(sweep, cell)
            self._logger.log_hyperparams(self._config)

    def finish(self, metrics: Mapping[str, float | int | None], failed: bool) -> None:
        """Log the metrics, those without a value left out."""
        if self._logger is None:
            return
        with only_warn(self):
            known = {name: value for name, value in metrics.items() if value is not None}
            self._log(known | {"failed": int(failed)})
            _close(self._logger, "failed" if failed else "success")
        self._logger = None

    def summary(self, sweep: str, rows: Sequence[Mapping], curves: Sequence[Curve]) -> None:
        """The curves with F as the step; a table of cells is not what these loggers can hold, table.csv is one."""
        with only_warn(self):
            logger = self._open(sweep, "summary")
            for frames, values in series(curves).items():
                logger.log_metrics(values, step=frames)
            _close(logger, "success")

    def _log(self, metrics: dict[str, float | int]) -> None:
        self._logger.log_metrics(metrics, step=0)

    def _open(self, sweep: str, name: str) -> Any:
        for pattern in self.files:  # and nothing else: the folder may hold results
            for old in Path(self.dir, sweep, name).glob(pattern):
                old.unlink()
        try:
            return self.factory(save_dir=self.dir, name=sweep, version=name)
        except ModuleNotFoundError:
            raise BadInput(f"the chosen logger needs a package that is missing: pip install {self.install}") from None


def flat(config: Mapping, start: str = "") -> dict[str, Any]:
    """{"rope_strategy": {"factor": 4}} -> {"rope_strategy.factor": 4}; lists stay whole."""
    items: dict[str, Any] = {}
    for key, value in config.items():
        items |= flat(value, f"{start}{key}.") if isinstance(value, Mapping) else {f"{start}{key}": value}
    return items


def _close(logger: Any, status: str) -> None:
    logger.save()  # finalize alone leaves a failed cell unsaved
    logger.finalize(status)


# TensorBoardMirror: the cell's config and metrics together, as TensorBoard's HParams tab wants them, and figures.


@dataclass
class TensorBoardMirror(LightningMirror):
    """A config without metrics is not shown there, so both are written when the cell ends."""

    def figures(self, figures: Sequence[Figure]) -> None:
        """Each as an image under `figures/`, its numbers as a Markdown table under `tables/`."""
        if self._logger is None:
            return
        with only_warn(self):
            for figure in figures:
                with Image.open(figure.path) as picture:
                    pixels = np.asarray(picture.convert("RGB"))
                self._logger.experiment.add_image(f"figures/{figure.key}", pixels, 0, dataformats="HWC")
                self._logger.experiment.add_text(f"tables/{figure.key}", _markdown(figure), 0)

    def _log(self, metrics: dict[str, float | int]) -> None:
        """As Lightning, but for its description of the experiment: TensorBoard would take one cell's for all of them,
        show no key or metric that this cell lacks, and know of none whether it differs. Without, it finds out."""
        self._logger.log_metrics(metrics, step=0)
        writer = self._logger.experiment  # of tensorboardX, or of torch where there is TensorBoard itself
        package = type(writer).__module__.rpartition(".")[0]
        _, start, end = import_module(f"{package}.summary").hparams(_simple(self._config), metrics)
        for part in (start, end):
            writer.file_writer.add_summary(part, 0)


def _simple(config: Mapping) -> dict[str, bool | int | float | str]:
    """Other values as texts: the tab knows no lists."""
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in config.items()}


def _markdown(figure: Figure) -> str:
    lines: list[Sequence[object]] = [figure.columns(), ["---"] * len(figure.columns()), *figure.values()]
    return "".join(markdown_line([str(cell) for cell in line]) for line in lines)
