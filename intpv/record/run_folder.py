"""RunFolder: one cell's results on disk, the only contract between experiments and analysis.

    status.json       running | done | failed | oom, when, and the error with its traceback
    samples.jsonl     one line per question; a video's lines are appended at once
    metrics.json      flat, sorted by name, written when the cell is done
    environment.json  see environment.py

The video is the unit of work and of resume. One process writes to a folder at a time.
"""

import errno
import json
import os
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from intpv.record import samples
from intpv.record.atomic import write_json, write_text
from intpv.record.finite import finite
from intpv.record.out_of_memory import asked_bytes, is_out_of_memory


class RunFolder:
    """Open (or resume) with `open`, then `append` video by video, then `finish` or `fail`."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._answered: set[str] = set()

    def status(self) -> str | None:
        """running | done | failed | oom, or None where nothing has been run yet. A killed run stays `running`."""
        file = self.path / "status.json"
        return json.loads(file.read_text(encoding="utf-8"))["status"] if file.exists() else None

    def open(self, expected: Mapping[str, int], environment: Mapping | None = None) -> set[str]:
        """Start or resume; `expected` maps each video to its number of questions. Returns the videos already answered.

        Lines of a video that is not complete are discarded, so that it is asked again as a whole.
        """
        self._set_status("running", None)
        (self.path / "metrics.json").unlink(missing_ok=True)  # numbers of a run that is going on would mislead
        if environment is not None:
            write_json(self.path / "environment.json", dict(environment))
        kept = samples.complete(self.samples(), expected)
        write_text(self._samples, "".join(map(samples.to_line, kept)))
        self._answered = {record["video"] for record in kept}
        return self.answered()

    def complete(self, expected: Mapping[str, int]) -> set[str]:
        """The videos that `open` would find answered; changes nothing."""
        return {record["video"] for record in samples.complete(self.samples(), expected)}

    def answered(self) -> set[str]:
        """Videos whose questions are all written."""
        return set(self._answered)

    def append(self, records: Sequence[Mapping]) -> None:
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

    def samples(self) -> list[dict]:
        """All whole lines, as they stand in the file."""
        return samples.parse(self._samples.read_bytes()) if self._samples.exists() else []

    def metrics(self) -> dict[str, float | int | None]:
        """Those of a finished cell."""
        return json.loads((self.path / "metrics.json").read_text(encoding="utf-8"))

    def environment(self) -> dict | None:
        """Where the cell was begun or last resumed; None where it never was."""
        file = self.path / "environment.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def finish(self, metrics: Mapping[str, object], records: Sequence[Mapping] | None = None) -> None:
        """Sort the samples by question id, write the metrics (numbers or None), and only then call the cell done.

        `records` take the place of the samples where they were scored anew.
        """
        flat = finite(dict(sorted(metrics.items())))
        ordered = sorted(self.samples() if records is None else records, key=lambda record: record["id"])
        write_text(self._samples, "".join(map(samples.to_line, ordered)))
        write_json(self.path / "metrics.json", flat)
        self._set_status("done", None)

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

    def _set_status(self, status: str, error: dict | None) -> None:
        self.path.mkdir(parents=True, exist_ok=True)  # a cell may fail before it was opened
        time = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(self.path / "status.json", {"status": status, "time": time, "error": error})
