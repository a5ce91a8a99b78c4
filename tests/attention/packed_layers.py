"""Packed layers of every option of conf/kv_quant, and the independent judge of attention to them."""

from pathlib import Path

import torch

from intpv import options
from intpv.kv_quant.calibration import read
from intpv.layout import Layout, Span

CONF = Path(__file__).parents[2] / "conf"
OPTIONS = sorted(path.stem for path in (CONF / "kv_quant").glob("*.yaml"))
GRANULARITIES = ("tensor", "channel", "token", "temporal")


def option(name, **changes):
    return options.option("kv_quant", name, **changes)


def video(frames, per_frame=9, before=5, after=3):
    return Layout((Span(before), *(Span(per_frame, float(t)) for t in range(frames)), Span(after)))


def pack(policy, layout, kv_heads=2, d=32):
    """One layer of random keys and values, keys with a mean as real ones have; of the mini model's shape where the
    policy is calibrated on it."""
    layers, origin = 1, None
    if getattr(policy, "calibration", "dynamic") != "dynamic":
        (layers, kv_heads, d), origin = (x := read(policy.calibration)[0]).shape, x.origin
    angles = torch.arange(layout.length)[:, None] * 1e3 ** (-torch.arange(d // 2) / (d // 2))
    keys, values = torch.randn(2, kv_heads, layout.length, d)
    pair = keys + 2 * torch.randn(kv_heads, 1, d), values
    return policy.pack([pair] * layers, layout, angles, lambda: origin).layers[0]


def query(layer, share, rows):
    """(H, R, d) for a layer of H / share key heads."""
    keys, _ = next(layer.blocks())
    return torch.randn(share * len(keys), rows, keys.shape[2], device=keys.device)


def dense_attention(q, layer, scaling):
    """Softmax in float64 over the dequantised layer in one piece -> out and lse."""
    k, v = (
        torch.cat(x, 1).double().repeat_interleave(len(q) // len(x[0]), 0) for x in zip(*layer.blocks(), strict=True)
    )
    scores = q.double() @ k.mT * scaling
    return scores.softmax(-1) @ v, scores.logsumexp(-1)


def float16_bounds(q, layer, scaling):
    """How far out and lse may be with float16 factors: three independent roundings of each product, of 2^-11 at most,
    are a deviation of 2^-11 at most, twice which a mean over the prefix hardly sees; it moves by two logits' errors."""
    keys, values = (torch.cat(x, 1).float() for x in zip(*layer.blocks(), strict=True))
    squares = q.float().square().view(len(keys), -1, q.shape[2]) @ keys.square().mT
    logit = 2 * 2**-11 * squares.max().sqrt().item() * scaling
    return (2 * logit + 2**-9) * values.abs().max().item() + 1e-4, logit + 1e-4
