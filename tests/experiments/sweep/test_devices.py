"""Devices: which GPUs each worker of a sweep sees."""

import pytest

from experiments.sweep.devices import count, grouped, visible
from intpv.errors import BadInput


def test_what_is_visible_is_what_cuda_would_see(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3,GPU-5a")
    assert visible() == ["2", "3", "GPU-5a"]
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert visible() == [None]


def test_without_the_variable_gpus_are_numbered_from_0_whatever_their_files_are_called(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible(["/dev/nvidia3"]) == ["0"]  # one of eight, given to a container
    assert visible([f"/dev/nvidia{number}" for number in (1, 10, 5)]) == ["0", "1", "2"]
    assert visible([]) == [None]


@pytest.mark.parametrize(
    ("gpus", "expected"), [(1, ["0", "1", "2", "3", "4"]), (2, ["0,1", "2,3"]), (3, ["0,1,2"]), (5, ["0,1,2,3,4"])]
)
def test_no_two_workers_share_a_gpu(gpus, expected):
    devices = grouped(["0", "1", "2", "3", "4"], gpus)
    assert devices == expected
    assert count("auto", devices) == len(expected)


def test_without_gpus_there_is_nothing_to_group():
    assert grouped([None], 4) == [None]


@pytest.mark.parametrize(
    ("gpus", "said"), [(0, "at least 1, got 0"), ("all", "got all"), (3, "gpus_per_worker=3, but 2 GPUs are visible")]
)
def test_what_cannot_be_shared_out(gpus, said):
    with pytest.raises(BadInput, match=said):
        grouped(["0", "1"], gpus)
