"""Worker: a process that runs batches of cells for a crew; models, frames and prefixes live on between them.

A batch is a line of JSON on standard input, what happens is lines of JSON on the descriptor given as first argument.
What libraries print, and what the interpreter says when it crashes, goes into the log of the cell at hand.
"""

import faulthandler
import json
import logging
import logging.config
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from intpv.record.lock import Occupied

from ..run.progress import Progress
from .plan import answer_key

STACKS = signal.SIGUSR2  # asks for the stacks of all threads, in the cell's log


class _Warnings(logging.Handler):
    """Warnings are for the user as well as for the log."""

    def __init__(self, emit: Callable[[dict], None]):
        super().__init__(logging.WARNING)
        self.say = emit

    def emit(self, record: logging.LogRecord) -> None:
        self.say({"event": "warning", "line": record.getMessage()})


def main() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # whoever started this may block it, as Ray does
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    from ..run.cell import run_cell

    while True:
        batch = json.loads(requests.get())
        for number, cell in enumerate(batch["cells"]):
            _run(cell, batch["share"], batch["cells"][number + 1 :], len(batch["cells"]) > 1, run_cell)
        _emit({"event": "free"})


def _emit(event: dict) -> None:
    os.write(int(sys.argv[1]), (json.dumps(event) + "\n").encode())


def _listen(requests: queue.SimpleQueue) -> None:
    """Hand on batches; when the crew is gone, however it went, end at once."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _run(cell: dict, share: int, to_come: list[dict], keep_prefixes: bool, run_cell: Callable) -> None:
    from ..run.build import free_memory
    from ..run.messages import reason
    from ..run.open_cell import CellToCome, Keep
    from ..run.outcome import stops_everything

    folder = Path(cell["folder"])
    failed = False
    _emit({"event": "cell", "cell": folder.name})
    try:
        logging.config.dictConfig(cell["log_config"])
        logging.getLogger().addHandler(_Warnings(_emit))
        log = os.open(folder / "evaluate.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(log)
        faulthandler.disable()  # Lightning's teardown resets all signals, of which faulthandler knows nothing
        faulthandler.enable(2)
        faulthandler.register(STACKS, file=2)
        key = answer_key(cell["config"])
        behind = [CellToCome(other["config"], other["choices"], Path(other["folder"])) for other in to_come]
        keep = Keep(keep_prefixes, any(answer_key(other.config) == key for other in behind), behind)
        run_cell(cell["config"], cell["choices"], folder, Progress(_emit), share, keep)
    except Occupied as error:
        _emit({"event": "busy", "cell": folder.name, "reason": str(error)})
    except Exception as error:
        failed = True
        with suppress(OSError):
            logging.getLogger(__name__).info("%s failed", folder.name, exc_info=True)
        _emit({"event": "disk" if stops_everything(error) else "failed", "cell": folder.name, "reason": reason(error)})
    if failed:  # not inside `except`: there the traceback still holds all that the cell held
        free_memory()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
