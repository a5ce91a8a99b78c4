"""Ahead: cells to come of the same prefixes are asked behind the one at hand, before the next video is decoded.

For the prefixes that cache.prefix_gb has no room to keep: each would else be made anew in every cell. What is answered
ahead is in its own cell's folder, so that nothing of it is lost with this process; that cell goes on with the rest.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

from intpv.inference.viewing import Loaded
from intpv.record.lock import lock
from intpv.record.run_folder import RunFolder

from ..sweep.plan import answer_key
from .cell_config import CellConfig
from .open_cell import CellToCome, Keep, OpenCell, open_cell
from .outcome import stops_everything

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ahead:
    """Closed with `locks`, which hold the folders: of cells that are opened only when the first prefix is passed on."""

    own: CellConfig
    to_come: Sequence[CellToCome]
    locks: ExitStack = field(repr=False)

    def ask(self, loaded: Loaded) -> None:
        """All cells to come about a video whose prefix is at hand."""
        for cell in list(self._cells):
            if loaded.item.id in cell.run.answered():
                continue
            try:
                cell.keep(loaded.item.id, cell.module.predict_step(loaded, None))
            except Exception as error:
                if stops_everything(error):
                    raise
                self._leave(cell.run.path.name, error)
                self._cells.remove(cell)

    @cached_property
    def _cells(self) -> list[OpenCell]:
        keys = Counter(answer_key(config) for config in (self.own, *(cell.config for cell in self.to_come)))
        cells = []
        for cell in self.to_come:
            run = RunFolder(cell.folder)
            try:
                self.locks.enter_context(lock(cell.folder))
                if run.status() in (None, "running"):
                    shared = keys[answer_key(cell.config)] > 1
                    cells.append(open_cell(cell.config, cell.choices, run, Keep(prefixes=True, answers=shared)))
            except Exception as error:
                if stops_everything(error):
                    raise
                self._leave(cell.folder.name, error)
        return cells

    @staticmethod
    def _leave(name: str, error: Exception) -> None:
        """What is wrong with it is said when it is its turn."""
        log.info("%s is not asked ahead: %s", name, error)
