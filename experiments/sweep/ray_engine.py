"""Ray: a sweep on a Ray cluster, or on one that is started here for it.

A worker is an actor that holds the GPUs Ray gave it and runs our worker process on its node, as a crew does on one
machine: the same batches, dealt as workers get free, the same share of frames and prefixes between them. One whose
actor or node is gone is hired anew where Ray has room, and its cell goes on with the next video. The nodes share this
file system and its Python environment.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from intpv.bounds import check_text, check_whole
from intpv.errors import BadInput

from ..run.messages import reason
from ..run.outcome import console
from . import crew
from .crew import Patience
from .devices import MOST_WITHOUT_GPU, count
from .plan import Planned, batches
from .worker_process import PATIENCE, Worker

OURS = ("num_gpus", "max_restarts", "max_concurrency")  # of an actor's options, set here


@dataclass(frozen=True)
class RayEngine:
    """Runs a plan as actors of Ray; BadInput where Ray, its cluster or a node that can hold a worker is not there."""

    address: str | None = None  # host:port of a cluster; None: RAY_ADDRESS, one that runs on this machine, or a new one
    requeues: int = 10  # of a cell whose actor or node was lost
    options: Mapping[str, Any] = field(default_factory=dict)  # of Ray's actors, as num_cpus

    def __post_init__(self) -> None:
        if self.address is not None:
            check_text("hydra.launcher.engine.address", self.address)
        check_whole("hydra.launcher.engine.requeues", self.requeues, 0)
        if refused := [key for key in self.options if key in OURS]:
            raise BadInput(
                f"hydra.launcher.engine.options.{refused[0]} is set by intpv (hydra.launcher.gpus_per_worker)"
            )
        if not find_spec("ray"):
            raise BadInput("the chosen launcher needs a package that is not installed here: pip install ray")

    def run(
        self, cells: Sequence[Planned], workers: int | str, gpus: int, on_event: Callable, patience: Patience
    ) -> None:
        """Run all cells, with `workers` actors, or as many as the cluster has room for now.

        After Ctrl-C the workers say their last words and their actors are ended; so they are with this process.
        """
        room = self._room(gpus)
        if not sum(room):
            raise BadInput(
                f"no node of the Ray cluster has room for a worker: it needs {gpus} GPUs where there are any "
                f"(hydra.launcher.gpus_per_worker) and {self._cpus:g} CPUs (hydra.launcher.engine.options.num_cpus)"
            )
        with_gpus = _has_gpus()
        most = sum(room if with_gpus else [min(here, MOST_WITHOUT_GPU) for here in room])
        number = most if workers == "auto" else count(workers, [None])
        console.print(f"{number} workers on {len(room)} nodes of Ray", highlight=False)
        share = min(number, max(room))
        try:
            options = {**self.options, "num_cpus": self._cpus, "num_gpus": gpus if with_gpus else 0}
            actor = remote_class().options(max_concurrency=3, **options)  # it is told something while it listens
        except (TypeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise BadInput(f"hydra.launcher.engine.options are not what Ray takes: {said}") from None
        planned = batches(cells, number)
        crew.run(planned, number, lambda place: RayWorker(actor, place, share), on_event, patience, self.requeues)

    @property
    def _cpus(self) -> float:
        return self.options.get("num_cpus", 1)

    def _room(self, gpus: int) -> list[int]:
        """How many workers each node could hold."""
        ray = connected(self.address)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        wanted = {"CPU": self._cpus, "GPU": gpus if _has_gpus() else 0}
        return [min(int(node.get(kind, 0) / number) for kind, number in wanted.items() if number) for node in nodes]


def connected(address: str | None) -> Any:
    """The module ray, connected once per process; a cluster that was started for it ends with the process."""
    import ray

    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError, AssertionError) as error:
            where = "" if address is None else f" at {address} (hydra.launcher.engine.address)"
            said = " ".join(str(error).split())
            raise BadInput(f"there is no Ray cluster to work with{where}: {said}") from None
    return ray


def _has_gpus() -> bool:
    import ray

    return ray.cluster_resources().get("GPU", 0) > 0


@cache
def remote_class() -> Any:
    """The actor. Made here, Ray carries it by value: a node can import nothing of ours before it has `path`."""
    import ray

    package = __package__

    class Remote:
        """A worker process on the actor's node, its pipes as calls; `read` waits while others are answered."""

        def __init__(self, path: list[str], folder: str, place: int, share: int) -> None:
            self.path, self.folder, self.place, self.share = path, folder, place, share
            self.worker: Any = None  # a WorkerProcess, once it is given something

        def device(self) -> str | None:
            """The GPUs that Ray gave this actor, as CUDA_VISIBLE_DEVICES lists them."""
            sys.path[:0] = [part for part in self.path if part not in sys.path]
            return ",".join(name for name in import_module(f"{package}.devices").visible() if name) or None

        def write(self, line: bytes) -> None:
            if self.worker is None:
                os.chdir(self.folder)
                device = self.device()
                process = import_module(f"{package}.worker_process").WorkerProcess
                self.worker = process(self.place, self.share, device)
            self.worker.write(line)

        def read(self) -> bytes:
            content = os.read(self.worker.events, 1 << 16)
            self.worker.started = self.worker.started or bool(content)  # it first says its cell
            return content

        def last_words(self) -> tuple[str, str]:
            return self.worker.first_words(), self.worker.fate()

        def tell(self, what: str, *arguments: bool) -> None:
            getattr(self.worker, what)(*arguments)

    return ray.remote(Remote)


class RayWorker(Worker):
    """The crew's side of an actor: what it says comes through a pipe, as of a process here."""

    pending = True

    def __init__(self, actor: Any, place: int, share: int):
        reading, self._writing = os.pipe()
        super().__init__(place, share, reading)
        self._actor = actor.remote([os.path.abspath(part) for part in sys.path], os.getcwd(), place, share)
        self._listener: threading.Thread | None = None
        self._words = ("", "its actor was ended")

    def write(self, line: bytes) -> None:
        written = self._actor.write.remote(line)
        if self._listener is None:  # the first one starts the process
            self._listener = threading.Thread(target=self._listen, args=(written,), daemon=True)
            self._listener.start()

    def _listen(self, written: Any) -> None:
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            ray.get(written)
            self.heard, self.pending = time.monotonic(), False
            while content := ray.get(self._actor.read.remote()):
                os.write(self._writing, content)
            self._words = ray.get(self._actor.last_words.remote())
        except RayTaskError as error:  # raised on its node by what is ours, as where it cannot be imported
            self._words = (reason(error.cause), "its process could not be started")
        except RayError as error:
            self.lost, self._words = True, ("", f"its actor of Ray was lost: {' '.join(str(error).split())}")
        except OSError:  # the crew has closed its end
            pass
        finally:
            self.pending = False
            os.close(self._writing)

    def interrupt(self) -> None:
        self._actor.tell.remote("interrupt")

    def abort(self) -> None:
        self._tell("abort")

    def first_words(self) -> str:
        return self._words[0]

    def fate(self) -> str:
        return self._words[1]

    def end(self, at_once: bool = True) -> None:
        import ray

        if not (self.pending or self.lost):
            self._tell("end", at_once)  # before its GPUs are another's
        ray.kill(self._actor)
        os.close(self.events)

    def _tell(self, what: str, *arguments: bool) -> None:
        import ray
        from ray.exceptions import RayError

        with suppress(RayError):
            ray.get(self._actor.tell.remote(what, *arguments), timeout=3 * PATIENCE)
