"""W&B's offline files read back: a LevelDB log of protobuf records, and the tables that wait beside it for upload."""

import json
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Run:
    """One offline run; `state` as W&B will show it once it is sent: finished, failed, or running without an end."""

    folder: Path
    id: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    project: str = ""
    entity: str = ""
    notes: str = ""
    system: list = field(default_factory=list)  # W&B's own statistics
    tags: list = field(default_factory=list)
    config: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)  # history, W&B's own keys left out
    step_metrics: dict = field(default_factory=dict)  # metric or pattern -> metric on the x axis
    staged: dict = field(default_factory=dict)  # path inside a table's artifact -> file on disk
    state: str = "running"

    @property
    def metrics(self) -> dict:
        """The last value of each."""
        return {name: value for row in self.rows for name, value in row.items()}

    def table(self, key: str) -> list[dict]:
        """Rows of a logged table; pictures as {path, ...}, to be looked up in `staged`."""
        content = json.loads(self.staged[f"{key}.table.json"].read_text())
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]

    def chart(self, key: str) -> dict[str, dict]:
        """Line label -> x -> y of a line series."""
        lines: dict = {}
        assert self.config["_wandb"]["visualize"][key]["panel_config"]["panelDefId"] == "wandb/lineseries/v0"
        for point in self.table(f"{key}_table"):
            lines.setdefault(point["lineKey"], {})[point["step"]] = point["lineVal"]
        return lines


def read_runs(folder: Path) -> list[Run]:
    """All offline runs below `folder`/wandb, in order of their start."""
    return [_read(file) for file in sorted(Path(folder).glob("wandb/offline-run-*/run-*.wandb"))]


def ended_runs(folder: Path, count: int, group: str | None = None) -> dict[str, Run]:
    """id -> run, once `count` runs (of a group) have ended: the last bytes are written after finish has returned."""
    for _ in range(200):
        runs = [run for run in read_runs(folder) if group in (None, run.group)]
        if len(runs) == count and all(run.state != "running" for run in runs):
            return {run.id: run for run in runs}
        time.sleep(0.05)
    raise AssertionError(f"{count} ended runs expected, found {[(run.name, run.state) for run in runs]}")


def _payloads(content: bytes):
    """Records: blocks of 32 KiB, fragments behind (checksum, length, type), type 1 whole and 2 to 4 parts."""
    place, parts = 7, b""  # W&B's own head of 7 bytes stands in the first block
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # too little room for a head: padding
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        if kind == 0 or place + 7 + length > len(content):
            return
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""


def _read(file: Path) -> Run:
    from wandb.proto.wandb_internal_pb2 import Record

    run = Run(file.parent)
    for payload in _payloads(file.read_bytes()):
        record = Record()
        record.ParseFromString(payload)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.id, run.name, run.group = record.run.run_id, record.run.display_name, record.run.run_group
            run.job_type, run.project, run.entity = record.run.job_type, record.run.project, record.run.entity
            run.tags, run.notes = list(record.run.tags), record.run.notes
            _update(run.config, record.run.config.update)
        elif kind == "config":
            _update(run.config, record.config.update)
        elif kind == "history":
            row = {_key(item): json.loads(item.value_json) for item in record.history.item}
            run.rows.append({name: value for name, value in row.items() if not name.startswith("_")})
        elif kind == "stats":
            run.system.append({item.key: item.value_json for item in record.stats.item})
        elif kind == "metric":
            run.step_metrics[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "exit":
            run.state = "failed" if record.exit.exit_code else "finished"
        elif kind == "request" and record.request.WhichOneof("request_type") == "log_artifact":
            _stage(run, record.request.log_artifact.artifact)
        elif kind == "artifact":
            _stage(run, record.artifact)
    return run


def _stage(run: Run, artifact) -> None:
    for entry in artifact.manifest.contents:
        run.staged[entry.path] = Path(entry.local_path)


def _update(config: dict, items) -> None:
    """Keys may be nested; those of one update replace what stands there."""
    for item in items:
        *parents, last = item.nested_key or [item.key]
        node = config
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = json.loads(item.value_json)


def _key(item) -> str:
    return "/".join(item.nested_key) or item.key
