"""Methods: every way to hold a prefix that the bench compares, by the name it has in the tables.

quanto2 K-1 V0 is QuantizedCache with quanto, 2 bits, axis_key -1, axis_value 0 (the axes' defaults are 0).
"""

from collections.abc import Iterable

from intpv.options import option

from .intpv_methods import Ours
from .transformers_methods import Theirs, dynamic, fp8, preallocated, quantised

Method = Ours | Theirs

AXES = ((0, 0), (-1, 0), (-1, -1))
FULL = {"dynamic": Theirs(dynamic), "preallocated": Theirs(preallocated)}
QUANTO = {
    f"quanto{bits} K{key} V{value}": Theirs(quantised("quanto", bits, key, value), across_tokens=-1 in (key, value))
    for bits in (4, 2)
    for key, value in AXES
}
FP8 = {"fp8": Theirs(fp8)}  # one scale per tensor; older transformers have no such backend and it is skipped
HQQ = {"hqq8 K0 V0": Theirs(quantised("hqq", 8, 0, 0), most_tokens=4096)}  # minutes beyond that
OPTIONS = ("none", "int8", "int4", "int2", "kivi", "k4v2", "rotate", "temporal", "best2")
# for comparisons at equal bits alone: they are as fast as the presets that they vary
VARIANTS = {
    "kivi K g64": Ours("kivi", (("key_group", 64),)),
    "best2 g32": Ours("best2", (("key_group", 32), ("value_group", 32))),
}
PEERS = {**FULL, **QUANTO, **FP8, **HQQ}


def ours(names: Iterable[str] = OPTIONS) -> dict[str, Ours]:
    """Options of kv_quant by name, a user's own too. BadInput for one that there is not."""
    for name in names:
        option("kv_quant", name)
    return {name: Ours(name) for name in names}
