"""TensorBoardMirror: the cell's config and metrics together, as TensorBoard's HParams tab wants them."""

from dataclasses import dataclass

from intpv.record.lightning_mirror import LightningMirror


@dataclass
class TensorBoardMirror(LightningMirror):
    """A config without metrics is not shown there, so both are written when the cell ends."""

    def _log(self, metrics: dict[str, float | int]) -> None:
        self._logger.log_hyperparams(self._config, metrics, step=0)
