"""One decoder layer by itself: what a decode step of attention costs when its prefix is held by each method."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from intpv.kv_quant.runs import PIECE
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq

from ..alternating import spread
from .allowance import Allowances
from .methods import AXES, Method
from .ours import Packed
from .specimen import Specimen
from .speed import bandwidth, beyond_held, check_rounds, interleaved
from .storages import bytes_held
from .theirs import ROOM, Cached

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
        size = {"generator": generator, "dtype": self.dtype, "device": self.device}
        draw = lambda: torch.randn(self.heads, length, self.head_dim, **size)  # noqa: E731
        layers = [(draw(), draw()) for _ in range(self.layers)]
        angles = torch.arange(length)[:, None] * baseline_inv_freq(RopeGeometry(self.head_dim, 1e4, length))
        return Specimen(layers, Layout(tuple(Span(patches, float(second)) for second in range(frames))), angles)

    def token(self, seed: int = 1) -> tuple[torch.Tensor, ...]:
        """Query, key and value of one more token."""
        generator = torch.Generator(self.device).manual_seed(seed)
        size = {"generator": generator, "dtype": self.dtype, "device": self.device}
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
    held = {name: parts for name, *parts in held_by(specimen, methods, decodes, allowances)}
    token = shape.token()
    steps = {name: (lambda one=one: one.step(0, *token)) for name, (_, one, _) in held.items()}
    guard = lambda name: allowances.spending(name, held[name][0].is_peer)  # noqa: E731
    times = interleaved(steps, rounds, shape.device, guard)
    found = {}
    for name, measured in times.items():
        method, one, row = held[name]
        with guard(name):
            found[name] = {**row, **measured, "beyond_held_bytes": beyond_held(steps[name], shape.device)}
            if not method.is_peer:
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
        if method.is_peer:
            yield name, method, one, row
        else:
            for decode in decodes:
                yield f"{name} {decode}", method, one.by(decode), row
