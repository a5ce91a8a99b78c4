"""The W&B mirror, judged by reading the offline file back: a LevelDB log of protobuf records."""

import json
import struct
import time
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from intpv.record.null_mirror import NullMirror
from intpv.record.wandb_mirror import WandbMirror

CONFIG = {"frames": 32, "rearranger": {"name": "strided", "order": [0, 2]}, "rope_strategy": {"factor": 4.0}}
METRICS = {"accuracy": 0.75, "accuracy/order": 0.5, "kv/bytes": 1024, "skill": None}


def payloads(content):
    """Records: blocks of 32 KiB, fragments behind (checksum, length, type), type 1 whole and 2 to 4 parts."""
    place, parts = 7, b""  # W&B's own head of 7 bytes stands in the first block
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # too little room for a head: padding
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        if kind == 0:
            return
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""


def read_back(folder):
    """run id -> {run, config, history, exit_code} of every offline run below the folder that is written to its end."""
    from wandb.proto.wandb_internal_pb2 import Record

    runs = {}
    for file in sorted(Path(folder).glob("wandb/offline-run-*/run-*.wandb")):
        found = {"config": {}, "history": {}, "exit_code": None}
        for payload in payloads(file.read_bytes()):
            record = Record()
            record.ParseFromString(payload)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                found["run"] = record.run
                found["config"] |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            elif kind == "history":
                for item in record.history.item:
                    found["history"]["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
            elif kind == "exit":
                found["exit_code"] = record.exit.exit_code
        if found["exit_code"] is not None:
            runs[found["run"].run_id] = found
    return runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two cells mirrored by one process, the second of them failed."""
    folder = tmp_path_factory.mktemp("mirror")
    mirror = WandbMirror(dir=str(folder))
    mirror.start("sweep", "strided-f32-0123abcd", "0123abcd", CONFIG)
    mirror.finish(METRICS, failed=False)
    mirror.start("sweep", "strided-f64-4567cdef", "4567cdef", CONFIG | {"frames": 64})
    mirror.finish({}, failed=True)
    for _ in range(200):  # W&B's service writes the last bytes shortly after finish has returned
        if len(found := read_back(folder)) == 2:
            return found
        time.sleep(0.05)
    pytest.fail(f"two runs were mirrored, the files hold {len(found)}")


def test_two_cells_of_one_process_are_two_runs(runs):
    assert set(runs) == {"0123abcd", "4567cdef"}
    assert [runs[name]["config"]["frames"] for name in ("0123abcd", "4567cdef")] == [32, 64]


def test_the_run_carries_sweep_cell_config_and_every_metric(runs):
    found = runs["0123abcd"]
    assert (found["run"].run_group, found["run"].display_name) == ("sweep", "strided-f32-0123abcd")
    assert {name: found["config"][name] for name in CONFIG} == CONFIG
    logged = {name: value for name, value in METRICS.items() if value is not None}
    assert {name: found["history"].get(name) for name in logged} == logged
    assert "skill" not in found["history"]


def test_a_failed_cell_ends_with_an_exit_code(runs):
    assert runs["0123abcd"]["exit_code"] == 0
    assert runs["4567cdef"]["exit_code"] == 1


def test_nothing_is_printed(tmp_path, capfd):
    mirror = WandbMirror(dir=str(tmp_path))
    mirror.start("sweep", "cell", "quiet", CONFIG)
    mirror.finish(METRICS, failed=False)
    assert capfd.readouterr() == ("", "")


def test_a_mirror_that_cannot_write_does_not_stop_the_cell(tmp_path, caplog, monkeypatch):
    import wandb

    def refuse(**settings):
        raise wandb.errors.CommError("no network")

    monkeypatch.setattr(wandb, "init", refuse)
    mirror = WandbMirror(dir=str(tmp_path))
    mirror.start("sweep", "cell", "0123", CONFIG)
    mirror.finish(METRICS, failed=False)
    assert "CommError: no network" in caplog.text


def test_a_config_that_is_not_plain_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(TypeError, match="JSON"):
        WandbMirror(dir=str(tmp_path)).start("sweep", "cell", "0123", {"model": object()})


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "conf" / "logger").glob("*.yaml")), ids=lambda path: path.stem
)
def test_each_option_of_the_logger_has_the_interface(path):
    mirror = instantiate(OmegaConf.load(path))
    for name in ("start", "finish"):
        assert callable(getattr(mirror, name))


def test_no_mirror_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mirror = NullMirror()
    mirror.start("sweep", "cell", "0123", CONFIG)
    mirror.finish(METRICS, failed=False)
    assert not list(tmp_path.iterdir())
