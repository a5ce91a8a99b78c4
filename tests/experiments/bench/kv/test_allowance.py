"""A peer that fails or takes too long is out by name; a fault of ours is raised."""

import time

import pytest

from experiments.bench.kv.allowance import Allowances
from intpv.errors import BadInput


def test_a_peer_is_stopped_when_its_time_is_up():
    allowances = Allowances(seconds=0.05)
    start = time.perf_counter()
    with allowances.spending("slow", is_peer=True):
        while time.perf_counter() - start < 10:
            pass
    assert time.perf_counter() - start < 5
    assert "0.05 s" in allowances.skipped["slow"]
    with allowances.spending("slow", is_peer=True):
        while time.perf_counter() - start < 20:
            pass
    assert time.perf_counter() - start < 5  # nothing is left for it


def test_an_alarm_on_the_way_in_rings_again_inside(monkeypatch):
    """However little is left, the body is entered and it is the body that is stopped."""
    monkeypatch.setattr(Allowances, "_left", lambda *_: 1e-6)
    for _ in range(200):
        allowances = Allowances(seconds=0.05)
        with allowances.spending("slow", is_peer=True):
            start = time.perf_counter()
            while time.perf_counter() - start < 10:
                pass
        assert "0.05 s" in allowances.skipped["slow"]


def test_a_fault_of_ours_is_not_skipped():
    allowances = Allowances()
    with pytest.raises(RuntimeError), allowances.spending("int2", is_peer=False):
        raise RuntimeError
    with allowances.spending("int2", is_peer=False):
        raise BadInput("no such path here")
    assert "no such path here" in allowances.skipped["int2"]
