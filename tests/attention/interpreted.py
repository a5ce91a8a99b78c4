"""Run as a program with TRITON_INTERPRET=1: Triton reads it when it is imported. Prints the largest error of each."""

import sys

import torch

from intpv.attention import flash
from intpv.attention.prefix import eager_attention
from tests.attention.packed_layers import dense_attention, option, pack, query, video


def main(seed: int, *names: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    for index, name in enumerate(names):
        kv_heads, share, d = _any(1, 2, 3), _any(1, 2, 4), (32, 64, 128)[index % 3]
        rows, splits = (1, 5, 24)[index % 3], _any(1, 2, 5)
        flash._multiprocessors = lambda device, programs=splits * kv_heads: programs
        layer = pack(option(name), video(_any(12, 33), _any(5, 9), _any(1, 6), _any(1, 4)), kv_heads, d)
        q = query(layer, share, rows)
        got = flash.flash_attention(q, layer, d**-0.5)
        wanted = eager_attention(q, layer, d**-0.5), dense_attention(q, layer, d**-0.5)
        error = max((a - b).abs().max().item() for want in wanted for a, b in zip(got, want, strict=True))
        print(name, error, flush=True)


def _any(*choices: int) -> int:
    return choices[int(torch.randint(len(choices), ()))]


main(int(sys.argv[1]), *sys.argv[2:])
