"""Real allocations that cannot succeed are told from other failures, with the bytes they asked for."""

import numpy as np
import pytest
import torch

from intpv.record.run_folder import asked_bytes, is_out_of_memory

PETABYTE = 2**50


def test_torch_on_a_cpu():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(PETABYTE, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert asked_bytes(caught.value) == PETABYTE


def test_numpy():
    with pytest.raises(MemoryError) as caught:
        np.empty(PETABYTE, dtype=np.uint8)
    assert is_out_of_memory(caught.value)
    assert asked_bytes(caught.value) is None or asked_bytes(caught.value) == PETABYTE


def test_torch_on_a_gpu_by_its_message():
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.50 GiB. GPU 0 has a total capacity of ...")
    assert is_out_of_memory(error)
    assert asked_bytes(error) == 20.5 * 2**30


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory"), KeyError("x")])
def test_other_failures_are_not(error):
    assert not is_out_of_memory(error)
