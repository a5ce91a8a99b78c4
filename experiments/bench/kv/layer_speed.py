"""One decoder layer by itself: what a decode step of attention costs when its prefix is held by each method."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from intpv.attention.prefix import prefix_attention
from intpv.kv_quant.packed import PIECE
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq

from ..timing import spread
from .allowance import Allowances
from .clock import bandwidth, beyond_held, check_rounds, interleaved
from .fidelity import bytes_held
from .intpv_methods import Ours, Packed
from .methods import AXES, Method
from .prefix import Specimen
from .transformers_methods import ROOM, Cached

PATCHES = 256  # per frame
BITS = {"int4": 4, "k4v2": 4, **dict.fromkeys(("int2", "kivi", "rotate", "temporal", "best2"), 2)}
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Shape:
    """Of a decoder; the defaults are Llama-7B's."""

    heads: int = 32
    head_dim: int = 128
    layers: int = 1
    dtype: torch.dtype = torch.float32
    device: torch.device = CPU

    def specimen(self, frames: int, patches: int, seed: int = 0) -> Specimen:
        """Random keys and values: what they are does not change the time."""
        generator = torch.Generator(self.device).manual_seed(seed)
        length = frames * patches
        size: dict[str, Any] = {"generator": generator, "dtype": self.dtype, "device": self.device}
        draw = lambda: torch.randn(self.heads, length, self.head_dim, **size)  # noqa: E731
        layers = [(draw(), draw()) for _ in range(self.layers)]
        turns = torch.arange(length)[:, None] * baseline_inv_freq(RopeGeometry(self.head_dim, 1e4, length))
        angles = turns.to(self.device)
        return Specimen(layers, Layout(tuple(Span(patches, float(second)) for second in range(frames))), angles)

    def token(self, seed: int = 1) -> tuple[torch.Tensor, ...]:
        """Query, key and value of one more token."""
        generator = torch.Generator(self.device).manual_seed(seed)
        size: dict[str, Any] = {"generator": generator, "dtype": self.dtype, "device": self.device}
        return tuple(torch.randn(1, self.heads, 1, self.head_dim, **size) for _ in range(3))


def layer_speed(
    shape: Shape,
    tokens: int,
    methods: Mapping[str, Method],
    decodes: tuple[str, ...],
    rounds: int,
    allowances: Allowances,
) -> dict:
    """Per method: bytes, bits, seconds to hold, milliseconds a step, bytes beyond the held ones at the step's peak."""
    check_rounds(rounds, steps_beside=2)
    specimen = shape.specimen(tokens // PATCHES, PATCHES)
    held = {name: (method, one, row) for name, method, one, row in held_by(specimen, methods, decodes, allowances)}
    token = shape.token()
    steps = {name: (lambda one=one: one.step(0, *token)) for name, (_, one, _) in held.items()}
    guard = lambda name: allowances.spending(name, held[name][0].is_peer)  # noqa: E731
    times = interleaved(steps, rounds, shape.device, guard)
    found = {}
    for name, measured in times.items():
        _, one, row = held[name]
        with guard(name):
            found[name] = {**row, **measured, "beyond_held_bytes": beyond_held(steps[name], shape.device)}
            if isinstance(one, Packed):
                found[name]["off_eager"] = one.off_eager(token[0])
    copied = bandwidth(shape.device)
    block = 2 * shape.heads * PIECE * shape.head_dim * 4
    scores = shape.heads * tokens * 4
    for row in found.values():
        row["limit_ms"] = 1e3 * row["bytes"] / copied
        row["within_block_and_scores"] = row["beyond_held_bytes"] <= block + scores
    notes = {"copy_bytes_per_s": copied, "block_bytes": block, "score_bytes": scores}
    return {"tokens": tokens, "elements": specimen.elements, **notes, "methods": found, "faster": faster(found)}


def faster(found: Mapping[str, dict]) -> list[dict]:
    """How many times as long the quanto cache of as many bits takes, round by round, by wall and by CPU."""
    lines = []
    for ours, row in found.items():
        bits = BITS.get(ours.split(" ")[0])
        for theirs in (f"quanto{bits} K{key} V{value}" for key, value in AXES):
            if theirs in found:
                lines.append({"ours": ours, "theirs": theirs, **times_as_long(row["rounds"], found[theirs]["rounds"])})
    return lines


def times_as_long(ours: Mapping[str, list[float]], theirs: Mapping[str, list[float]]) -> dict:
    """theirs / ours of each round, its median and extremes, for each clock."""
    return {
        clock: spread([their / our for our, their in zip(ours[clock], theirs[clock], strict=True)]) for clock in ours
    }


def held_by(
    specimen: Specimen, methods: Mapping[str, Method], decodes: tuple[str, ...], allowances: Allowances
) -> Iterator[tuple[str, Method, "Packed | Cached", dict]]:
    """Name (with the decode path, for ours), method, what is held and its sizes; a policy's storages are shared."""
    for name, method in methods.items():
        if name in allowances.skipped or not method.fits(specimen):
            continue
        one = None
        with allowances.spending(name, method.is_peer):
            start = time.perf_counter()
            one = method.hold(specimen, ROOM)
            seconds = time.perf_counter() - start
        if one is None:
            continue
        held = bytes_held(one.held)
        row = {"bytes": held, "bits_per_element": 8 * held / specimen.elements, "hold_s": seconds}
        if isinstance(one, Packed):
            paths = dict(zip(decodes, decodes, strict=True)) if one.held.quantised else {"sdpa": "auto"}
            for path, decode in paths.items():
                yield f"{name} {path}", method, one.by(decode), row
        else:
            yield name, method, one, row


# Rows: one layer's prefix read by several query rows at once, as a video's questions are, beside dense attention.


DENSE = "dense"  # torch's own attention to unquantised keys and values


def row_speed(
    shape: Shape,
    tokens: int,
    counts: Sequence[int],
    presets: Mapping[str, Ours],
    decodes: tuple[str, ...],
    rounds: int,
    allowances: Allowances,
) -> dict:
    """Per number of rows and method: milliseconds, and how many times as long as dense attention, round by round."""
    specimen, scaling = shape.specimen(tokens // PATCHES, PATCHES), shape.head_dim**-0.5
    keys, values = (side[None] for side in specimen.layers[0])
    held = held_by(specimen, presets, decodes, allowances)
    layers = {name: one.held.layers[0] for name, _, one, _ in held if isinstance(one, Packed)}
    found = {}
    for count in counts:
        generator = torch.Generator(shape.device).manual_seed(count)
        size = shape.heads, count, shape.head_dim
        q = torch.randn(size, generator=generator, dtype=shape.dtype, device=shape.device)
        steps: dict[str, Callable[[], object]] = {}
        steps |= {DENSE: partial(scaled_dot_product_attention, q[None], keys, values, scale=scaling)}
        steps |= {name: partial(prefix_attention, q, layer, scaling) for name, layer in layers.items()}
        times = interleaved(steps, rounds, shape.device)
        for row in times.values():
            row["times_dense"] = times_as_long(times[DENSE]["rounds"], row["rounds"])
        found[str(count)] = times
    return {"tokens": tokens, "rows": found}
