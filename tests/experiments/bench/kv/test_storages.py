"""Bytes walked are those of unique storages, and of ours the closed form."""

import pytest
import torch

from experiments.bench.kv.fidelity import bytes_held
from experiments.bench.kv.methods import ours


@pytest.mark.parametrize("name", ours())
def test_bytes_that_are_walked_equal_the_closed_form(name, small):
    held = ours()[name].hold(small, 1)
    assert bytes_held(held.held) == held.closed_form(small)
    assert bytes_held(held.held) == held.held.ledger()["total"]


class _Wrapper(torch.Tensor):
    """A subclass as quanto's: it stands for 64 floats and holds 8 bytes and a shared storage."""

    @staticmethod
    def __new__(cls, codes, scale):
        return torch.Tensor._make_wrapper_subclass(cls, (8, 8), dtype=torch.float32)

    def __init__(self, codes, scale):
        self.codes, self.scale = codes, scale

    def __tensor_flatten__(self):
        return ["codes", "scale"], None

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise NotImplementedError


def test_bytes_are_those_of_unique_storages_behind_wrappers():
    scale, codes = torch.zeros(4), torch.zeros(8, dtype=torch.uint8)
    assert bytes_held({"a": [_Wrapper(codes, scale)], "b": (scale[:1], codes.view(2, 4))}) == 16 + 8
    itself = {}
    itself["self"] = itself
    assert bytes_held(itself) == 0
