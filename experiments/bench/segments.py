"""Measure what attention in segments costs in prefill: python -m experiments.bench segments [tokens=8192] [rounds=5]

One layer's attention of a whole sequence to itself, under each strategy that changes attention (trained on a quarter of
the tokens), in turn with torch's own causal attention: seconds, and how many times the seconds of the other.
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from intpv.attention.rules import Places
from intpv.attention.segment_prefill import over_sequence
from intpv.attention.segments import Turning
from intpv.bounds import check_whole
from intpv.layout import Layout, Span
from intpv.options import option
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.partitioned import PartitionedStrategy

from ..run.command import own_config
from ..run.messages import explained
from ..run.options import options_of
from ..run.provenance import provenance, write_result
from ..run.threads import set_threads
from .timing import alternate

FACTOR, HEAD_DIM, FRAMES = 4.0, 128, 32
DEFAULTS = {"tokens": 8192, "rounds": 5, "heads": 8, "dtype": "float32", "threads": 1, "device": "cpu"}
OUT = "analysis/results/bench_segments.json"


@torch.inference_mode()
def main() -> None:
    with explained("bench segments"):
        options = own_config("bench segments", __doc__, {**DEFAULTS, "out": OUT})
        for name in ("tokens", "rounds", "heads"):
            check_whole(name, options[name])
        set_threads(options.threads)
    result = {"what": "Measure what attention in segments costs in prefill", "provenance": provenance()}
    device, dtype = torch.device(options.device), getattr(torch, options.dtype)
    costs = segment_costs(options.tokens, options.heads, options.rounds, device, dtype)
    write_result(options.out, {**result, **costs})
    for name, row in costs["strategies"].items():
        times = row["plain_by_this"]
        print(f"{name:18}{row['seconds']['median']:.3f} s, {1 / times['median']:.2f} times plain attention")


def segment_costs(tokens: int, heads: int, rounds: int, device: torch.device, dtype: torch.dtype) -> dict:
    """Of every strategy that changes attention."""
    q, k, v = torch.randn(3, heads, tokens, HEAD_DIM, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    geometry, found = RopeGeometry(HEAD_DIM, 1e4, int(tokens / FACTOR)), {}
    layout = Layout(tuple(Span(len(part), time=0.0) for part in torch.arange(tokens).tensor_split(FRAMES)))
    for name in options_of("rope_strategy"):
        strategy = option("rope_strategy", name)
        if not isinstance(strategy, PartitionedStrategy):
            continue
        turning = Turning(name, strategy.divided(layout, geometry, FACTOR), baseline_inv_freq(geometry))
        places = Places(torch.arange(tokens), torch.arange(tokens))
        both = partial(_segments, q, k, v, turning, places), partial(_plain, q, k, v)
        for run in both:
            run()  # warm; and the parts of a prefill are made once for all its layers
        beside = alternate(*both, rounds)
        found[name] = {"seconds": beside["ours_s"], "plain_s": beside["theirs_s"], "plain_by_this": beside["ratio"]}
    return {"tokens": tokens, "heads": heads, "device": str(device), "dtype": str(dtype), "strategies": found}


def _segments(q: Tensor, k: Tensor, v: Tensor, turning: Turning, places: Places) -> None:
    out, _ = over_sequence(q, k, v, HEAD_DIM**-0.5, turning.parts(places, q.device))
    _wait(out)


def _plain(q: Tensor, k: Tensor, v: Tensor) -> None:
    _wait(scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True))


def _wait(x: Tensor) -> None:
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)


if __name__ == "__main__":
    main()
