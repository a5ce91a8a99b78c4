"""Style: each strategy's colour and marker, the same in every figure, and the terms that readers know."""

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import NamedTuple
from zlib import crc32

import numpy as np
from matplotlib.colors import to_hex, to_rgb


class Look(NamedTuple):
    """Of a strategy."""

    term: str
    color: str
    marker: str


STRATEGIES = {  # Okabe & Ito 2008, distinct with every colour blindness
    "none": Look("no scaling", "#000000", "o"),
    "linear": Look("linear", "#E69F00", "s"),
    "ntk": Look("NTK-aware", "#56B4E9", "D"),
    "yarn": Look("YaRN", "#D55E00", "v"),
    "visual_only": Look("visual-only", "#009E73", "^"),
    # Tol's muted colours and his wine
    "dynamic_ntk": Look("dynamic NTK", "#88CCEE", "s"),
    "ntk_by_parts": Look("NTK by parts", "#44AA99", "D"),
    "llama3": Look("Llama 3", "#AA4499", "o"),
    "longrope": Look("LongRoPE", "#CC6677", "^"),
    "resonance": Look("Resonance YaRN", "#661100", "v"),
    "frame_step": Look("frame step", "#117733", "o"),
    "mrope_axes": Look("M-RoPE axes", "#DDCC77", "s"),
    # Tol's light colours and his olive: what changes attention
    "self_extend": Look("self-extend", "#77AADD", "^"),
    "rerope": Look("ReRoPE", "#EE8866", "o"),
    "dual_chunk": Look("dual chunk", "#AAAA00", "D"),
    "log_n": Look("log n", "#99DDFF", "v"),
    "parallel_windows": Look("parallel windows", "#FFAABB", "s"),
}
# of strategies that are not in the table: what Okabe & Ito have left, then Tol's muted ones
FURTHER_COLORS = ("#0072B2", "#CC79A7", "#882255", "#999933", "#332288")
FURTHER_MARKERS = ("P", "*", "<", ">", "p", "h")  # no common divisor with the colours: 30 pairs
FURTHER = len(FURTHER_COLORS) * len(FURTHER_MARKERS)
GREY = "#767676"  # of references, which are dashed or dotted

KV_POLICIES = {  # option -> how a reader calls it, behind "KV", and its mark; no strategy has one of these
    "none": ("full precision", "d"),
    "int8": ("8 bits", "H"),
    "int4": ("4 bits", (4, 1, 0)),
    "int2": ("2 bits", "x"),
    "kivi": ("KIVI", "+"),
    "k4v2": ("4-bit keys, 2-bit values", (3, 1, 0)),
    "vidkv_like": ("VidKV-like", (6, 1, 0)),
    "best2": ("best2", (5, 2, 0)),
    "best2_sink": ("best2, sink kept", (5, 2, 36)),
    "paper_channel": ("static 2 bits per channel", "1"),
    "paper_tensor": ("static 2 bits per tensor", "2"),
    "tensor2": ("2 bits per tensor", (6, 2, 0)),
    "rotate": ("rotate", "3"),
    "temporal": ("temporal", "4"),
}
KV_FURTHER = ("|", "_", (8, 1, 0), (5, 1, 0), (7, 2, 0), (3, 1, 60), (4, 1, 45))


def looks(strategies: Iterable[str]) -> dict[str, Look]:
    """Of a sweep's strategies, no two alike.

    One that is not in the table gets the pair its name stands for, in any sweep alike, unless one before it in the
    alphabet has it, or its colour while others are free: then the next one. Beyond the pairs its marker is a number.
    """
    names = sorted(set(strategies))
    taken: list[int] = []
    for name in (name for name in names if name not in STRATEGIES):
        start = crc32(name.encode())
        slots = [(start + step) % FURTHER for step in range(FURTHER)] + [max(FURTHER, len(taken))]
        used = {slot % len(FURTHER_COLORS) for slot in taken}
        free = [slot for slot in slots if slot not in taken]
        taken.append(next((slot for slot in free if slot % len(FURTHER_COLORS) not in used), free[0]))
    further = iter(taken)
    return {name: STRATEGIES.get(name) or _further(name, next(further)) for name in names}


def _further(name: str, slot: int) -> Look:
    marker = FURTHER_MARKERS[slot % len(FURTHER_MARKERS)] if slot < FURTHER else f"${slot - FURTHER + 1}$"
    return Look(strategy_term(name), FURTHER_COLORS[slot % len(FURTHER_COLORS)], marker)


def strategy_term(strategy: str) -> str:
    """`yarn window=llm` -> YaRN window=llm; an option that is not known keeps its spelling."""
    option, *others = strategy.split(" ", 1)
    return " ".join([STRATEGIES[option].term if option in STRATEGIES else option, *others])


def kv_term(kv_quant: str) -> str:
    """`int2 sinks=0` -> KV 2 bits sinks=0."""
    option, *others = kv_quant.split(" ", 1)
    return " ".join(["KV", KV_POLICIES[option][0] if option in KV_POLICIES else option, *others])


def kv_marks(levels: Sequence[str]) -> dict[str, object]:
    """Matplotlib's markers; of policies that are not in the table further ones in turn."""
    further = [level for level in levels if level not in KV_POLICIES]
    known = {level: KV_POLICIES[level][1] for level in levels if level in KV_POLICIES}
    return known | {level: mark for level, mark in zip(further, cycle(KV_FURTHER), strict=False)}


def run_terms(strategy: str, rearranger: str, frames: int, kv_quant: str) -> str:
    """How a cell was run, in one line."""
    return f"{rearranger}, RoPE: {strategy_term(strategy)}, {frames} frames, {kv_term(kv_quant)}"


def shades(color: str, count: int) -> list[str]:
    """From light to dark, of one hue; the colour itself where one is asked for."""
    own = np.array(to_rgb(color))
    light, dark = 0.5 * own + 0.5, 0.5 * own
    return [color] if count == 1 else [to_hex(light + part * (dark - light)) for part in np.linspace(0, 1, count)]
