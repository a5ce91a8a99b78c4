"""Run as a program with TRITON_INTERPRET=1: Triton reads it when it is imported. Prints of each option the largest
error with float32 queries, and with bfloat16 ones out's and lse's as shares of what float16 products may be off."""

import sys

import torch

from intpv.attention import triton
from intpv.attention.prefix import eager_attention
from tests.attention.packed_layers import dense_attention, float16_bounds, option, pack, query, video


def main(seed: int, *names: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    triton.PROGRAMS = 1
    for index, name in enumerate(names):
        kv_heads, share, d = _any(1, 2, 3), _any(1, 2, 4), (32, 64, 128)[index % 3]
        rows, splits = (1, 5, 24)[index % 3], _any(1, 2, 5)
        triton._multiprocessors = lambda device, programs=splits * kv_heads: programs
        layer = pack(option(name), video(_any(12, 33), _any(5, 9), _any(1, 6), _any(1, 4)), kv_heads, d)
        layer = layer.before(layer.length * 2 // 3) if index % 2 else layer  # as segments read it
        q = query(layer, share, rows)
        error = max(_errors(q, layer))
        reduced = q.bfloat16() * 2.0 ** _any(-20, 0, 20)  # as rows, float16 could not hold either
        bounds = float16_bounds(reduced, layer, q.shape[2] ** -0.5)  # a calibrated option has its own head dim
        shares = (a / b for a, b in zip(_errors(reduced, layer), bounds, strict=True))
        print(name, error, *shares, flush=True)


def _errors(q: torch.Tensor, layer) -> list[float]:
    """Of out and lse."""
    scaling = q.shape[2] ** -0.5
    got = triton.flash_attention(q, layer, scaling)
    wanted = eager_attention(q, layer, scaling), dense_attention(q, layer, scaling)
    return [max((got[i] - want[i]).abs().max().item() for want in wanted) for i in (0, 1)]


def _any(*choices: int) -> int:
    return choices[int(torch.randint(len(choices), ()))]


main(int(sys.argv[1]), *sys.argv[2:])
