"""TensorBoardMirror: the cell's config and metrics together, as TensorBoard's HParams tab wants them, and figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from intpv.record.figure import Figure
from intpv.record.lightning_mirror import LightningMirror
from intpv.record.mirror import only_warn


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
        self._logger.log_hyperparams(self._config, metrics, step=0)


def _markdown(figure: Figure) -> str:
    lines = [figure.columns(), ["---"] * len(figure.columns()), *figure.values()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
