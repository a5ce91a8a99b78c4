"""Cost table: what frames cost as the paper's Table 1 counts (arXiv 2409.12963), and once nothing is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from intpv.cost import closed_form
from intpv.cost.shape import Shape

BITS = {"FP16": 16, "INT8": 8, "INT4": 4, "INT2": 2}  # the columns of a table
SHEETS = {  # title -> whose rows, and which of their keys
    "Table 1 of arXiv 2409.12963 in closed form: GB (1e9 bytes), ms per token": (
        ("as_in_the_paper", "frames tokens weights kv total decode_s")
    ),
    "KV with CLS tokens as conf/kv_quant stores it; extra: scales, zeros and exempt tokens; GB, ms": (
        ("as_it_is", "frames tokens kv kv_overhead decode_s")
    ),
    "Held while answering (all weights and KV), tower activations at their peak: GB; work: TFLOP": (
        ("as_it_is", "frames groups held tower_bytes encode_flops prefill_flops")
    ),
}
MEASURED = {  # the same of what measured.py has measured
    "Measured: KV as counted on the device; held: all weights and KV; GB, ms per token": (
        ("measured", "frames tokens kv held decode_s")
    ),
    "Measured: peaks of watch and of asking one question, and the tower's: GB; encode and prefill: ms": (
        ("measured", "frames watch_peak ask_peak tower_bytes encode_s prefill_s")
    ),
}
BOUNDED = {  # the same frames within bounds
    "Within bounds: tokens given to the LLM, kept in a layer; prefix: KV while it is read; GB, TFLOP": (
        ("bounded", "frames tokens kept tower_bytes prefix_bytes prefill_flops kv")
    ),
}
HEADS = {"kv": "KV", "kv_overhead": "extra", "decode_s": "ms", "tower_bytes": "tower"}
HEADS |= {"encode_flops": "encode", "prefill_flops": "prefill", "encode_s": "encode", "prefill_s": "prefill"}
HEADS |= {"watch_peak": "watch", "ask_peak": "ask", "prefix_bytes": "prefix"}


def tables(shape: Shape, frames: Sequence[int], options: Mapping[str, Any]) -> dict:
    """All there is to say as plain data, in bytes, seconds and FLOPs; `options` are conf/kv_quant's, by BITS' names."""
    return {
        "shape": asdict(shape),
        "bandwidth": closed_form.BANDWIDTH,
        "weights": weights(shape),
        "as_in_the_paper": [as_in_the_paper(shape, count) for count in frames],
        "as_it_is": [as_it_is(shape, count, options) for count in frames],
    }


def sheets(report: dict) -> dict[str, list[dict[str, str]]]:
    """`tables` for reading: title -> rows of text under two-line headers."""
    shown = SHEETS | (BOUNDED if "bounded" in report else {}) | (MEASURED if "measured" in report else {})
    return {title: [_texts(row, keys.split()) for row in report[rows]] for title, (rows, keys) in shown.items()}


def notes(report: dict) -> str:
    """What the numbers rest on, for reading."""
    parts = ", ".join(f"{part.replace('_', ', ')} {size / 1e9:.2f}" for part, size in report["weights"].items())
    on = f" Measured on {report['device_name']} with random weights in bfloat16." if "measured" in report else ""
    return (
        f"Weights: {parts} GB; Table 1 counts the blocks alone. ms is a roofline, not a measurement: blocks, head, KV "
        f"and {closed_form.SCORE_PASSES} passes over the scores at {report['bandwidth'] / 1e9:.0f} GB/s (RTX A6000). "
        "On the 7B this is the paper's 22.9 (32 frames, FP16) and 18.8 (64, INT2); without head or scores it is not."
        + on
    )


def weights(shape: Shape) -> dict[str, int]:
    """Bytes by part; of these Table 1 has `blocks` alone."""
    blocks = closed_form.block_matrices(shape)
    parameters = {
        "blocks": blocks,
        "embedding_head_norms": closed_form.llm_parameters(shape) - blocks,
        "tower": closed_form.tower_parameters(shape),
        "projector": closed_form.projector_parameters(shape),
    }
    return {part: closed_form.FP16 * count for part, count in parameters.items()}


def as_in_the_paper(shape: Shape, frames: int) -> dict:
    """A row of Table 1: patches only, the blocks' weights only, exactly `bits` per element. Bytes and seconds."""
    shape.groups(frames)
    tokens = frames * shape.patches
    blocks = weights(shape)["blocks"]
    kv = {name: closed_form.kv_bytes(shape, tokens, bits) for name, bits in BITS.items()}
    return {
        "frames": frames,
        "tokens": tokens,
        "weights": blocks,
        "kv": kv,
        "total": {name: blocks + size for name, size in kv.items()},
        "decode_s": _decode_seconds(shape, tokens, kv),
    }


def as_it_is(shape: Shape, frames: int, options: Mapping[str, Any]) -> dict:
    """The same frames with CLS tokens, every weight, the cache as `options` store it, and the tower.

    kv               bytes of the packed prefix
    kv_overhead      of these, beyond bits per element: scales, zeros and tokens kept in full precision
    held             all weights and the prefix: what stays while questions are answered
    tower_bytes      activations at their peak, all m groups as one batch; free again before the decoder runs
    encode_flops     m passes of the tower, and the projector
    """
    groups, tokens = shape.groups(frames), frames * shape.tokens_per_frame
    sizes = {"layers": shape.layers, "kv_heads": shape.kv_heads, "head_dim": shape.head_dim}
    kv = {name: options[name].closed_form_bytes(**sizes, length=tokens, element_size=closed_form.FP16) for name in BITS}
    everything = sum(weights(shape).values())
    return {
        "frames": frames,
        "groups": groups,
        "tokens": tokens,
        "kv": kv,
        "kv_overhead": {
            name: kv[name] - closed_form.kv_bytes(shape, tokens, bits) for name, bits in BITS.items() if bits < 16
        },
        "held": {name: everything + size for name, size in kv.items()},
        "decode_s": _decode_seconds(shape, tokens, kv),
        "tower_bytes": groups * closed_form.tower_activation_bytes(shape),
        "encode_flops": groups * closed_form.tower_flops(shape) + closed_form.projector_flops(shape, tokens),
        "prefill_flops": closed_form.prefill_flops(shape, tokens),
    }


def _decode_seconds(shape: Shape, tokens: int, kv: Mapping[str, int]) -> dict[str, float]:
    return {
        name: closed_form.decode_seconds(closed_form.decode_traffic(shape, tokens, size)) for name, size in kv.items()
    }


def _texts(row: Mapping, keys: Sequence[str]) -> dict[str, str]:
    values = {key: row[key] if isinstance(row[key], dict) else {"": row[key]} for key in keys}
    return {f"{HEADS.get(key, key)}\n{name}": _text(key, value) for key in keys for name, value in values[key].items()}


def _text(key: str, value: int | float) -> str:
    if key in ("frames", "groups", "tokens", "kept"):
        return str(value)
    if key.endswith("_flops"):
        return f"{value / 1e12:.1f}"
    if key.endswith("_s"):
        return f"{1e3 * value:.0f}" if value >= 10 else f"{1e3 * value:.1f}"
    return f"{value / 1e9:.2f}"
