"""One run on several devices: the samples of one device, to the byte; a rank that fails ends all and loses nothing."""

import json
import subprocess
import time

import pytest
import torch

from experiments.run import ranks
from experiments.run.ranks import Appended, settle, share_of
from intpv.errors import BadInput
from intpv.record.samples import to_line

from ..cli import interrupt, read

OWN = ("logger=none", "trainer.threads=1", "trainer.accelerator=cpu", "data.limit=5")
STRATEGY = """
import os
from dataclasses import dataclass
from intpv.rope_strategy.none import NoScaling

@dataclass(frozen=True, kw_only=True)
class Fails(NoScaling):
    def positions(self, layout, factor):
        if os.environ.get("LOCAL_RANK") == os.environ["FAILS"]:
            raise ZeroDivisionError("no such thing")
        return super().positions(layout, factor)
"""


@pytest.fixture(scope="module")
def alone(bench):
    """The samples of one device."""
    bench.run(*OWN, "sweep.name=alone")
    return samples(bench, "alone")


def folder(bench, name):
    (found,) = (bench.folder / "runs" / name).glob("*/status.json")
    return found.parent


def samples(bench, name) -> bytes:
    return (folder(bench, name) / "samples.jsonl").read_bytes()


def others(process: subprocess.Popen) -> str:
    """What is left of a process group a little after its first process has ended."""
    for _ in range(20):
        if not (found := subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True).stdout):
            break
        time.sleep(0.5)
    return found


@pytest.mark.slow
def test_two_devices_give_the_bytes_of_one(bench, alone):
    said = bench.run(*OWN, "sweep.name=shared", "trainer.devices=2")
    assert samples(bench, "shared") == alone
    assert said.count("KV bits per") == 1  # one table, not one of each process
    figures = [json.loads(line) for line in (folder(bench, "shared") / "videos.jsonl").read_text().splitlines()]
    assert sorted(one["video"] for one in figures) == sorted({json.loads(line)["video"] for line in alone.splitlines()})


@pytest.mark.slow
def test_a_rank_that_fails_ends_all_and_the_same_command_goes_on(bench, alone, monkeypatch):
    (bench.folder / "failing.py").write_text(STRATEGY)
    monkeypatch.setenv("FAILS", "1")
    own = (*OWN, "sweep.name=fails", "rope_strategy._target_=failing.Fails", "trainer.devices=2")
    process = bench.start(*own)
    said = "".join(process.communicate(timeout=200))
    assert process.returncode != 0, said
    state = read(folder(bench, "fails"), "status.json")
    assert (state["status"], state["error"]["type"]) == ("failed", "ZeroDivisionError")
    assert "ZeroDivisionError: no such thing" in said
    assert not others(process)
    monkeypatch.setenv("FAILS", "none")
    bench.run(*own)
    assert samples(bench, "fails") == alone


@pytest.mark.slow
def test_ctrl_c_ends_all_and_keeps_what_was_answered(bench):
    own = (*OWN, "sweep.name=stopped", "frames=64")
    process = bench.start(*own, "trainer.devices=2")
    while process.poll() is None and not any((bench.folder / "runs/stopped").glob("*/videos.jsonl")):
        time.sleep(0.1)
    before = folder(bench, "stopped") / "videos.jsonl"
    interrupt(process)
    assert not others(process)
    kept = before.read_text()
    assert kept
    bench.run(*own)
    assert before.read_text().startswith(kept)


def test_a_sweep_refuses_more_devices_than_one_before_anything_is_made(evaluate, bench):
    code, said = evaluate("-m", "sweep.name=many", "trainer.devices=1,2")
    assert (code, said.strip()) == (2, f"evaluate: trainer.devices=2 {ranks.SINGLE}")
    assert not (bench.folder / "runs/many").exists()


def test_every_item_is_one_ranks(monkeypatch):
    shares = []
    for rank in range(3):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        shares.append(share_of(range(8), 3))
    assert sorted(item for share in shares for item in share) == list(range(8))
    assert share_of(range(8), 1) == range(8)


def test_what_all_ranks_appended_is_told_once_and_whole(tmp_path):
    file = tmp_path / "samples.jsonl"
    line = {"kind": "", "labels": {}, "question": "", "options": [], "answer": "", "prediction": "", "correct": True}
    line |= {"valid": True, "ceiling": None, "error": None}
    lines = [to_line({**line, "id": f"{video}/{n}", "video": video}) for video in "abc" for n in range(2)]
    file.write_text("".join(lines[:2]))
    appended = Appended(file)
    file.write_text("".join(lines[:4]) + lines[4][:10])
    assert (appended.videos(), appended.videos()) == ([2], [])
    file.write_text("".join(lines))
    assert appended.videos() == [2]


def test_each_rank_has_a_gpu_of_its_own(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    config = {"trainer": {"devices": 8, "accelerator": "auto"}, "model": {"device": "auto"}}
    for rank in range(8):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        settle(config)
    assert taken == list(range(8))
    with pytest.raises(BadInput, match=r"trainer\.devices=9, but torch .* finds 8 GPU"):
        settle({**config, "trainer": {"devices": 9, "accelerator": "gpu"}})
    with pytest.raises(BadInput, match=r"model\.device=balanced says which"):
        settle({**config, "model": {"device": "balanced"}})
    assert ranks.rank_of(1) == 0
