"""Attention to a packed layer through Triton: the host's side of flash_kernel.py. Imports triton only when it runs.

The prefix is split so that every multiprocessor of the GPU has work also where there are few heads and rows. What is
stored dense, exempt zones, is attended to densely and merged by log-sum-exp.
"""

import math
from functools import cache, reduce

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention.pieces import attend, merge
from intpv.attention.reading import Cells, PackedLayer, Reading, Run
from intpv.errors import BadInput

BLOCK = 64  # tokens, at most: what all GPUs have the shared memory for, twice, with keys to rotate
STAGES = 2  # blocks that are on their way at a time
HEAD_DIMS = 32, 64, 128
ROWS = 16, 64  # of a block: what the smallest matrix product needs, and what fits the registers
PROGRAMS = 2  # per multiprocessor

Attended = tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]


def flash_attention(q: Float[Tensor, "H R d"], layer: PackedLayer, scaling: float) -> Attended:
    """See `prefix_attention`. BadInput for what `unsupported` names."""
    reason = unsupported(layer)
    if reason:
        raise BadInput(f"kv_quant.decode=triton cannot read {reason}")
    return reduce(lambda done, new: merge(*done, *new), (_run(q, run, scaling) for run in layer.runs))


def unsupported(layer: PackedLayer) -> str | None:
    """What the kernel cannot read of a layer, with its value; None if nothing."""
    for run in layer.runs:
        keys, values = run.keys.reading(), run.values.reading()
        if keys is None and values is None:
            continue
        if keys is None or values is None:
            dense, other = ("keys", values) if keys is None else ("values", keys)
            return f"{dense} of 16 bits beside {other.format.bits}-bit codes"
        if keys.format.head_dim not in HEAD_DIMS:
            return f"a head dim outside {', '.join(map(str, HEAD_DIMS))}, got {keys.format.head_dim}"
        if keys.format.turned and keys.format.rotated:
            return "keys before RoPE (pre_rope=True) in a Hadamard basis (key_hadamard=True)"
    return None


def _run(q: Tensor, run: Run, scaling: float) -> Attended:
    keys, values = run.keys.reading(), run.values.reading()
    if keys is None:
        return reduce(lambda done, new: merge(*done, *new), (attend(q, k, v, scaling) for k, v in run.blocks()))
    rows = (q.float() * (scaling * math.log2(math.e))).reshape(keys.packed.shape[0], -1, q.shape[2])
    if keys.rotation is not None:
        rows = rows @ keys.rotation  # q.(Hk) = (Hq).k
    # ten bits of mantissa are more than bfloat16 rows have; codes are exact in either
    out, lse = launch(rows, keys, values, "ieee" if q.dtype == torch.float32 else "tf32")
    if values.rotation is not None:
        out = out @ values.rotation
    return out.view(q.shape), lse.view(q.shape[:2])


def launch(
    q: Float[Tensor, "H_kv R d"], keys: Reading, values: Reading, precision: str, splits: int | None = None
) -> tuple[Float[Tensor, "H_kv R d"], Float[Tensor, "H_kv R"]]:
    """Both kernels; q is scaled by log2(e) besides. `splits` (at most) is what fills the device unless given."""
    import triton

    from intpv.attention import flash_kernel

    (heads, rows, head_dim), tokens = q.shape, keys.packed.shape[1]
    k_block, v_block = (_shared(side.format.cells, side.scale) for side in (keys, values))
    block = min(x for x in (k_block, v_block, BLOCK) if x)
    per_program = min(ROWS[1], max(ROWS[0], triton.next_power_of_2(rows)))
    programs = heads * triton.cdiv(rows, per_program)
    blocks = triton.cdiv(tokens, block)
    splits = min(blocks, splits or max(1, triton.cdiv(PROGRAMS * _multiprocessors(q.device), programs)))
    per_split = triton.cdiv(blocks, splits)
    splits = triton.cdiv(blocks, per_split)  # none is empty
    out, lse = torch.empty_like(q), q.new_empty(heads, rows)
    parts, (peaks, totals) = q.new_empty(heads, splits, rows, head_dim), q.new_empty(2, heads, splits, rows)
    turn = _turn(keys) if keys.format.turned else (q, q)  # not read
    with torch.cuda.device_of(q):  # Triton launches on the current device, wherever the tensors are
        flash_kernel.split_attention[programs, splits](
            q.contiguous(),
            *(keys.packed, keys.scale, keys.zero, values.packed, values.scale, values.zero, *turn),
            *(parts, peaks, totals, rows, tokens, per_split * block, *_place(keys), *_place(values)),
            **{f"K_{name}": value for name, value in _constants(keys, k_block).items()},
            **{f"V_{name}": value for name, value in _constants(values, v_block).items()},
            **{"TURNED": keys.format.turned, "HALF": head_dim // 2},
            **{"ROWS": per_program, "BLOCK": block, "PRECISION": precision, "num_stages": STAGES},
        )
        flash_kernel.merge_splits[heads * rows,](
            *(parts, peaks, totals, out, lse, rows, splits), SPLITS=triton.next_power_of_2(splits), D=head_dim
        )
    return out, lse


def _shared(cells: Cells, table: Tensor) -> int | None:
    """Tokens of a block that lies within one group, a power of two of at least 16; None where there is no such."""
    if table.shape[1] == 1 and table.shape[2] == 1:
        return BLOCK
    block = cells.group & -cells.group if cells.group and cells.frame == 1 else 1
    return min(block, BLOCK) if block >= 16 else None


def _constants(reading: Reading, shared: int | None) -> dict[str, int]:
    columns = reading.scale.shape[3]
    mode = 0 if shared else 1 if columns == 1 else 2  # flash_kernel's GROUP, TOKEN, CELL
    return {"BITS": reading.format.bits, "MODE": mode, "WIDTH": reading.format.cells.width, "COLUMNS": columns}


def _place(reading: Reading) -> tuple[int, int, int, int]:
    """Stride of a head, tokens of a frame, groups, and tokens (or frames) of a group."""
    table, cells = reading.scale, reading.format.cells
    group = cells.group if cells.group and table.shape[2] > 1 else reading.packed.shape[1]
    return (table.stride(0) if len(table) > 1 else 0), cells.frame, table.shape[2], group


def _turn(reading: Reading) -> tuple[Tensor, Tensor]:
    angles = reading.positions * reading.frequencies
    return angles.cos(), angles.sin()


@cache
def _multiprocessors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
