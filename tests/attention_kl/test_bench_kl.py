"""The bench's count of memory: what is held at once, temporaries included, and nothing that was there before."""

import torch

from experiments.bench.attention_kl import peak_bytes

MIB = 2**20


def _empty(mib):
    return torch.empty(mib * MIB, dtype=torch.uint8)


def test_peak_is_what_is_held_at_once():
    before = _empty(50)
    assert peak_bytes(lambda: [_empty(10) for _ in range(3)]) == 30 * MIB
    for _ in range(2):  # no run leaves a trace in the next
        assert peak_bytes(lambda: [_empty(10).max() for _ in range(3)]) // MIB == 10
    assert peak_bytes(lambda: before.float()) == 200 * MIB
