"""The count of live storages: what is held at once, judged by the allocator's own count in torch's profiler."""

import pytest
import torch

from experiments.bench.attention_kl import peak_bytes
from intpv.cost.memory import LiveStorages, counting

MIB = 2**20
CPU = torch.device("cpu")


def _empty(mib):
    return torch.empty(mib * MIB, dtype=torch.uint8)


def test_what_goes_is_not_held_and_what_is_held_at_once_is_the_peak():
    with counting(CPU) as count:
        kept = [_empty(3), _empty(4)]
        _empty(10)
        kept.pop()
        _empty(5)
    assert (count.held, count.peak) == (3 * MIB, 17 * MIB)


def test_a_view_or_what_is_written_in_place_is_nothing_new():
    with LiveStorages() as live:
        whole = _empty(4)
        part = whole[:100].view(10, 10)
        part.add_(1)
        assert live.held == 4 * MIB
        del whole
        assert live.held == 4 * MIB
        del part
        assert live.held == 0


def test_what_was_there_before_counts_as_nothing():
    before = _empty(6)
    with counting(CPU) as count:
        shown = before.view(2, -1)
        del before, shown
        _empty(2)
    assert (count.held, count.peak) == (0, 2 * MIB)


@torch.inference_mode()
def test_it_agrees_with_the_allocator_but_for_what_lives_inside_one_operation():
    layer = torch.nn.TransformerEncoderLayer(64, 4, 256, batch_first=True).eval()
    x = torch.randn(4, 100, 64)
    torch.backends.mha.set_fastpath_enabled(False)  # one operation that is a whole layer
    try:
        with counting(CPU) as count:
            layer(x)
        allocated = peak_bytes(lambda: layer(x))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert count.held == 0
    assert 0.8 * allocated <= count.peak <= allocated


def test_another_device_is_refused():
    with pytest.raises(ValueError, match="cuda and cpu, got meta"), counting(torch.device("meta")):
        pass


@pytest.mark.gpu
def test_the_allocator_of_a_gpu_counts_the_same():
    device = torch.device("cuda")
    before = torch.zeros(MIB, device=device)
    with counting(device) as count:
        kept = before + 1
        _ = kept.double() + 1
        del _
    assert count.held == 4 * MIB
    assert count.peak >= 20 * MIB
