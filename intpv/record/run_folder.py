"""RunFolder: one cell's results on disk, the only contract between experiments and analysis.

    status.json       running | done | failed | oom, when, the error with its traceback, and the schema of the folder;
                      of a done cell also how many questions and videos' figures it has, and the CRC-32 of samples.jsonl
    samples.jsonl     one line per question; a video's lines are appended at once
    videos.jsonl      one line per video, see samples.py
    metrics.json      flat, sorted by name, written when the cell is done
    environment.json  see environment.py
    .hydra/           see composed.py

The video is the unit of work and of resume. One process writes to a folder at a time, see lock.py.
"""

import errno
import logging
import os
import re
import traceback
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zlib import crc32

from intpv.errors import BadInput
from intpv.record import samples
from intpv.record.atomic import write_json, write_text
from intpv.record.composed import read_composed
from intpv.record.damaged import Damaged, read_bytes, read_json, set_aside, stamp
from intpv.record.samples import Sample, VideoFigures, VideoMetrics, finite

# Out of memory: tell it from other failures, and how much was asked for.


# by name, so that a run folder is read without importing torch; on a CPU torch raises a plain RuntimeError
TYPES = ("OutOfMemoryError", "MemoryError")
SAYS = re.compile(r"can't allocate memory|out of memory", re.IGNORECASE)
ASKED = re.compile(r"allocate ([\d.]+) ?(bytes|B|KiB|MiB|GiB|TiB)\b")
UNITS = {"bytes": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine had too little memory."""
    return type(error).__name__ in TYPES or (isinstance(error, RuntimeError) and bool(SAYS.search(str(error))))


def asked_bytes(error: BaseException) -> int | None:
    """Bytes of the allocation that failed, as exact as the message tells them; None where it does not."""
    found = ASKED.search(str(error))
    return round(float(found[1].rstrip(".")) * UNITS[found[2]]) if found else None


log = logging.getLogger(__name__)
SCHEMA = 1  # of run folders and sweep.json: raise it when a file changes its meaning; before there was one, 1 too
STATUSES = ("running", "done", "failed", "oom")
OWN = ("status.json", "samples.jsonl", "videos.jsonl", "metrics.json", "environment.json")
WHOLE = (*OWN, ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml")  # what a done cell is judged by


@dataclass(frozen=True)
class State:
    """How far a run folder is, as its files tell."""

    # one of STATUSES; damaged: a file is not what it should be; newer: of a schema above SCHEMA; None: nothing was run
    status: str | None
    reason: str = ""  # why it failed, which file is damaged and how, or of which schema it is, in one line
    time: str = field(default="", compare=False)  # when status.json was written, ISO 8601
    questions: int = field(default=0, compare=False)  # of a done cell


class RunFolder:
    """Open (or resume) with `open`, then `append` video by video, then `finish` or `fail`."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._answered: set[str] = set()
        self._expected: Mapping[str, Collection[str]] = {}

    def status(self) -> str | None:
        """As State has it. A killed run stays `running`."""
        return self.state().status

    def state(self, whole: bool = True) -> State:
        """How the cell stands; `done` only where everything that a done cell has is there. Never raises.

        Without `whole` status.json is believed, which takes 0.1 ms where looking at all files takes several.
        """
        try:
            found = read_json(self.path / "status.json", _is_status, f"one of {', '.join(STATUSES)} as its status")
            if found is None:
                return State(None)
            if newer := is_newer(self.path / "status.json", found):
                return State("newer", newer)
            if found["status"] == "done" and whole:
                _check_whole(self.path, *(stamp(self.path / name) for name in WHOLE))
            time = found.get("time")
            known = time if isinstance(time, str) else ""
            return State(found["status"], _reason(found.get("error")), known, found.get("questions", 0))
        except Damaged as damage:
            return State("damaged", str(damage))

    def open(self, expected: Mapping[str, Collection[str]], environment: Mapping | None = None) -> set[str]:
        """Start or resume; `expected` maps each video to its questions' ids. Returns the videos already answered.

        Lines of a video that is not complete are discarded, so that it is asked again as a whole. Files that cannot be
        read are set aside; BadInput for a folder of a newer schema.
        """
        damage = self.state()
        if damage.status == "newer":
            raise BadInput(damage.reason)
        if damage.status == "damaged":
            log.warning("%s: the cell is run again", damage.reason)
        self._expected = expected
        kept = self._kept(say=damage.status != "damaged")  # once is enough
        for name in OWN:
            self._make_way(self.path / name, damage.reason)
        self._set_status("running", None)
        (self.path / "metrics.json").unlink(missing_ok=True)  # numbers of a run that is going on would mislead
        if environment is not None:
            write_json(self.path / "environment.json", dict(environment))
        write_text(self._samples, "".join(map(samples.to_line, kept)))
        self._answered = {record["video"] for record in kept}
        return self.answered()

    def complete(self, expected: Mapping[str, Collection[str]]) -> set[str]:
        """The videos that `open` would find answered; changes nothing."""
        self._expected = expected
        return {record["video"] for record in self._kept()}

    def answered(self) -> set[str]:
        """Videos whose questions are all written."""
        return set(self._answered)

    def append(self, records: Sequence[Sample]) -> None:
        """Write all of one video's questions in one append; either all of them are in the file or none."""
        videos = {record["video"] for record in records}
        if len(videos) != 1 or videos & self._answered:
            raise ValueError(f"one new video per append, got {sorted(videos)} after {len(self._answered)} others")
        content = "".join(map(samples.to_line, records)).encode()
        file = os.open(self._samples, os.O_WRONLY | os.O_APPEND)
        try:
            before = os.fstat(file).st_size
            if os.write(file, content) < len(content):
                os.ftruncate(file, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._samples)) from None
        finally:
            os.close(file)
        self._answered |= videos

    def samples(self) -> list[Sample]:
        """All whole lines, as they stand in the file. Raises Damaged where it cannot be read."""
        return samples.parse(read_bytes(self._samples) or b"")

    def metrics(self) -> dict[str, float | int | None]:
        """Those of a finished cell, else none. Raises Damaged for what are none."""
        return read_json(self.path / "metrics.json", _are_metrics, "metrics: names with numbers") or {}

    def environment(self) -> dict | None:
        """Where the cell was begun or last resumed; None where it never was. Raises Damaged."""
        return read_json(self.path / "environment.json", lambda found: isinstance(found, dict), "an environment")

    def records(self) -> list[Sample]:
        """One line for every question that was expected as the folder was opened; BadInput where one is missing."""
        found = samples.complete(self.samples(), self._expected)
        wanted = {one for ids in self._expected.values() for one in ids}
        if lacking := sorted(wanted - {record["id"] for record in found}):
            raise BadInput(f"{self._samples} holds {len(found)} of {len(wanted)} questions, not {lacking[0]}")
        return found

    def finish(self, metrics: Mapping[str, object], records: Sequence[Sample] | None = None) -> None:
        """Sort the samples by question id, write the metrics (numbers or None), and only then call the cell done.

        `records` take the place of the samples where they were scored anew.
        """
        flat = finite(dict(sorted(metrics.items())))
        ordered = sorted(self.records() if records is None else records, key=lambda record: record["id"])
        text = "".join(map(samples.to_line, ordered))
        figures = VideoFigures(self.path).read()
        write_text(self._samples, text)
        write_json(self.path / "metrics.json", flat)
        whole = {"questions": len(ordered), "figures": len(figures), "crc32": f"{crc32(text.encode()):08x}"}
        self._set_status("done", None, whole)

    def fail(self, error: BaseException) -> None:
        """Record why the cell stopped; what was answered stays and a later `open` goes on from it."""
        trace = "".join(traceback.format_exception(error))
        described = {"type": type(error).__name__, "message": str(error), "traceback": trace}
        if is_out_of_memory(error):
            self._set_status("oom", {**described, "bytes_asked": asked_bytes(error)})
        else:
            self._set_status("failed", described)

    def crash(self, how: str, trace: str) -> None:
        """Record for another process that it ended without a word; `trace` is what it left behind."""
        self._set_status("failed", {"type": "Crash", "message": how, "traceback": trace})

    @property
    def _samples(self) -> Path:
        return self.path / "samples.jsonl"

    def _kept(self, say: bool = False) -> list[Sample]:
        """Lines of whole videos: all their questions, and their figures where the cell writes any."""
        lines: list[Sample] = []
        with suppress(Damaged):
            content = read_bytes(self._samples) or b""
            lines = samples.parse(content)
            if say and (strange := samples.strange(content)):
                log.warning("%s: %d lines are no answers", self._samples, strange)
        kept = samples.complete(lines, self._expected)
        if not VideoFigures(self.path).exist():
            return kept
        figures: dict[str, VideoMetrics] = {}
        with suppress(Damaged):
            figures = VideoFigures(self.path).read()
        # a video that could not be read has none
        lost = {record["video"] for record in kept if record["error"] is None} - figures.keys()
        if lost and say:
            log.warning("%s lacks %d answered videos: they are asked again", self.path / "videos.jsonl", len(lost))
        return [record for record in kept if record["video"] not in lost]

    @staticmethod
    def _make_way(file: Path, said: str = "") -> None:
        """What cannot be read is set aside; `said` is what the user has been told already."""
        try:
            read_bytes(file)
        except Damaged as damage:
            aside = set_aside(file)
            log.log(logging.INFO if str(damage) == said else logging.WARNING, "%s: set aside as %s", damage, aside.name)

    def _set_status(self, status: str, error: dict | None, more: Mapping = {}) -> None:
        self.path.mkdir(parents=True, exist_ok=True)  # a cell may fail before it was opened
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self._make_way(self.path / "status.json")
        write_json(
            self.path / "status.json", {"schema": SCHEMA, "status": status, "time": time, "error": error, **more}
        )


@cache
def _check_whole(cell: Path, *_stamps: tuple | None) -> None:
    """Raises Damaged unless all that was there when the cell was done still is; looked at once, while nobody writes."""
    run = RunFolder(cell)
    whole = read_json(cell / "status.json", _is_status, "a status") or {}
    read_composed(cell)
    run.environment()
    metrics, figures = run.metrics(), VideoFigures(cell).read()
    content = read_bytes(cell / "samples.jsonl")
    if content is None:
        raise Damaged(f"{cell / 'samples.jsonl'} is missing")
    if whole.get("crc32") != f"{crc32(content):08x}":  # of an older version, or changed by hand
        lines = [record["id"] for record in samples.parse(content)]
        wanted = whole.get("questions", metrics.get("questions", len(lines)))
        if not len(set(lines)) == len(lines) == wanted:
            raise Damaged(
                f"{cell / 'samples.jsonl'} holds {len(set(lines))} of {wanted} questions on {len(lines)} lines"
            )
    if content and not isinstance(metrics.get("accuracy"), int | float):
        raise Damaged(f"{cell / 'metrics.json'} does not hold an accuracy")
    if len(figures) < whole.get("figures", 0):
        raise Damaged(f"{cell / 'videos.jsonl'} holds {len(figures)} of {whole['figures']} videos")


def is_newer(file: Path, found: Mapping) -> str:
    """One line where what a file holds was written by an intpv of a later schema, which this one must not touch."""
    schema = found.get("schema", SCHEMA)
    return f"{file} is of schema {schema}, this intpv knows {SCHEMA}: use a newer one" if schema > SCHEMA else ""


def _is_status(found: object) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("error"), dict | str | None):
        return False
    counts = all(type(found.get(name, 0)) is int for name in ("questions", "figures", "schema"))
    return counts and found.get("status") in STATUSES


def _are_metrics(found: object) -> bool:
    try:
        return isinstance(found, dict) and finite(found) is not None
    except ValueError:
        return False


def _reason(error: dict | str | None) -> str:
    """One line of the error in status.json: {type, message, traceback}, or a text whose last line says it."""
    if isinstance(error, dict):
        error = f"{error.get('type')}: {error.get('message')}".splitlines()[0]
    return (error or "").strip().split("\n")[-1]
