"""Silence what other libraries say on every cell; what goes wrong still comes through."""

import logging
import warnings

from transformers.utils import logging as transformers_logging


def quiet() -> None:
    """No device banners, tips and loading bars eighty times over."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for line in (".*LeafSpec.*", ".*does not have many workers.*", ".*sharded.*"):
        warnings.filterwarnings("ignore", line)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, is not worth a traceback
    transformers_logging.disable_progress_bar()
