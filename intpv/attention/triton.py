"""Attention to a packed layer through Triton: the host's side of triton_kernel.py. Imports triton only when it runs.

The prefix is split so that every multiprocessor of the GPU has work also where there are few heads and rows. What is
stored dense, exempt zones, is attended to densely and merged by log-sum-exp.
"""

import math
from functools import cache
from weakref import ReferenceType, ref

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention.dense import attend_dense_run
from intpv.attention.softmax import Attended, merged
from intpv.errors import BadInput
from intpv.kv_quant.basis import PreRope
from intpv.kv_quant.granularity import Cells
from intpv.kv_quant.packed import PackedLayer, Run
from intpv.kv_quant.stored import Reading

BLOCK = 32  # tokens, at most: with more there are registers for one program at a time
STAGES = 2  # blocks that are on their way at a time
HEAD_DIMS = 32, 64, 128
ROWS = 16, 128  # of a block: what the smallest matrix product needs, and what fits the registers
EXACT_ROWS = 16  # what fits them where factors are float32
PROGRAMS = 4  # per multiprocessor
ALL = 2**30  # tokens, or frames: more than there are
SHARED = 99 * 2**10  # bytes that a program may need: what CUDA's architectures from 8.0 on have at least


def flash_attention(q: Float[Tensor, "H R d"], layer: PackedLayer, scaling: float) -> Attended:
    """See `prefix_attention`. BadInput for what `unsupported` names."""
    reason = unsupported(layer)
    if reason:
        raise BadInput(f"kv_quant.decode=triton cannot read {reason}")
    return merged(_run(q, run, scaling) for run in layer.runs)


def unsupported(layer: PackedLayer) -> str | None:
    """What the kernel cannot read of a layer, with its value; None if nothing."""
    for run in layer.runs:
        keys, values = run.keys.reading(), run.values.reading()
        if keys is None:
            if values is None:
                continue
            return f"keys of 16 bits beside {values.format.bits}-bit codes"
        if values is None:
            return f"values of 16 bits beside {keys.format.bits}-bit codes"
        if keys.format.head_dim not in HEAD_DIMS:
            return f"a head dim outside {', '.join(map(str, HEAD_DIMS))}, got {keys.format.head_dim}"
        if keys.format.pre_rope and keys.format.mixed:
            return "keys before RoPE (pre_rope=True) in a Hadamard basis (key_hadamard=True)"
    return None


@cache
def no_launch(device: torch.device) -> str | None:
    """Why Triton's kernels do not run on a CUDA device; None if they do. Tried, not guessed: its first launch needs a C
    compiler and Python's headers."""
    try:
        found = getattr(torch.cuda.get_device_properties(device), "shared_memory_per_block_optin", SHARED)
        if found < SHARED:
            return f"it needs {SHARED} bytes of shared memory for a program, {device} has {found}"
        _merge(torch.zeros(1, 2, 1, HEAD_DIMS[0], device=device), torch.zeros(1, 2, 1, device=device))
        torch.cuda.synchronize(device)
    except Exception as error:  # whatever a tool chain or a driver may fail with
        first = (str(error).strip().splitlines() or ["no message"])[0]
        return f"Triton fails on {device} with {type(error).__name__}: {first}"
    return None


def _run(q: Tensor, run: Run, scaling: float) -> Attended:
    keys, values = run.keys.reading(), run.values.reading()
    if keys is None or values is None:  # both: one alone is unsupported
        return attend_dense_run(q, run, scaling)
    rows = q.reshape(keys.packed.shape[0], -1, q.shape[2])
    if keys.mixing is not None:
        rows = rows.float() @ keys.mixing  # q.(Hk) = (Hq).k
    out, lse = launch(rows, keys, values, scaling, exact=q.dtype == torch.float32)
    if values.mixing is not None:
        out = out @ values.mixing
    return out.view(q.shape), lse.view(q.shape[:2])


def launch(q: Float[Tensor, "H_kv R d"], keys: Reading, values: Reading, scaling: float, exact: bool) -> Attended:
    """Both kernels -> out (H_kv, R, d) and lse (H_kv, R). Factors of products are float32 if `exact`, else float16."""
    import triton

    from intpv.attention import triton_kernel

    (heads, rows, head_dim), tokens = q.shape, keys.packed.shape[1]
    k_block, v_block = (_one_row(side.format.cells, side.scale) for side in (keys, values))
    block = min(x for x in (k_block, v_block, BLOCK) if x)
    per_program = EXACT_ROWS if exact else min(ROWS[1], max(ROWS[0], triton.next_power_of_2(rows)))
    programs, blocks = heads * triton.cdiv(rows, per_program), triton.cdiv(tokens, block)
    # a program more than fit at a time would have the device to itself at the end
    per_split = triton.cdiv(blocks, max(1, PROGRAMS * _multiprocessors(q.device) // programs))
    splits = triton.cdiv(blocks, per_split)  # none is empty
    out = torch.empty(heads, splits, rows, head_dim, device=q.device)
    lse = torch.empty(heads, splits, rows, device=q.device)
    turn = _cos_and_sin(keys.pre_rope, exact) if keys.pre_rope else (q, q)  # not read
    with torch.cuda.device_of(q):  # Triton launches on the current device, wherever the tensors are
        triton_kernel.split_attention[programs, splits](
            *(q.contiguous(), keys.packed, keys.scale, keys.zero, values.packed, values.scale, values.zero, *turn),
            *(out, lse, scaling * math.log2(math.e), rows, tokens, per_split * block),
            *(_apart(keys, head_dim), *_place(keys), _apart(values, head_dim), *_place(values)),
            **{f"K_{name}": value for name, value in _constants(keys, k_block).items()},
            **{f"V_{name}": value for name, value in _constants(values, v_block).items()},
            **{"PRE_ROPE": keys.format.pre_rope, "HALF": head_dim // 2, "ROWS": per_program, "BLOCK": block},
            **{"EXACT": exact, "num_warps": 8 if per_program == ROWS[1] else 4, "num_stages": STAGES},
            enable_fp_fusion=True,  # a code becomes a number in one rounding
        )
    return (out[:, 0], lse[:, 0]) if splits == 1 else _merge(out, lse)


def _merge(outs: Float[Tensor, "H_kv splits R d"], lses: Float[Tensor, "H_kv splits R"]) -> Attended:
    from intpv.attention import triton_kernel

    heads, splits, rows, head_dim = outs.shape
    out, lse = torch.empty_like(outs[:, 0]), torch.empty_like(lses[:, 0])
    with torch.cuda.device_of(outs):
        triton_kernel.merge_splits[heads * rows,](
            *(outs, lses, out, lse, rows, splits), SPLITS=16, D=head_dim, enable_fp_fusion=True
        )
    return out, lse


def _one_row(cells: Cells, table: Tensor) -> int | None:
    """Tokens of a block that lies within one group, a power of two of at least 16; None where there is no such."""
    if table.shape[1] == 1 and table.shape[2] == 1:
        return BLOCK
    block = cells.group & -cells.group if cells.group and cells.frame == 1 else 1
    return min(block, BLOCK) if block >= 16 else None


def _constants(reading: Reading, one_row: int | None) -> dict[str, int]:
    cells, columns = reading.format.cells, reading.scale.shape[3]
    mode = 0 if one_row else 1 if columns == 1 else 2  # triton_kernel's ROW, TOKEN, CELL
    place = {"MODE": mode, "GROUP": cells.group or ALL, "FRAMES": cells.frame > 1}
    return {"BITS": reading.format.bits, **place, "WIDTH": cells.width, "COLUMNS": columns}


def _apart(side: Reading, head_dim: int) -> int:
    """Tokens from head to head: of a prefix' beginning more than it has."""
    return side.packed.stride(0) * 8 // (head_dim * side.format.bits)


def _place(reading: Reading) -> tuple[int, int, int]:
    """A head's rows of the table, tokens of a frame, and groups."""
    heads, patches, groups, _ = reading.scale.shape
    return (patches * groups if heads > 1 else 0), reading.format.cells.frame, groups


@cache
def _multiprocessors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1


# The last prefix' cosines and sines on each device: all its layers and all steps of an ask read the same. No other is
# held, nor this one longer than its prefix, so that they count as room to work in and not as the prefix' own bytes.
_turns: dict[tuple[torch.device, torch.dtype], tuple[ReferenceType[PreRope], tuple[Tensor, Tensor]]] = {}


def _cos_and_sin(pre_rope: PreRope, exact: bool) -> tuple[Float[Tensor, "t half"], Float[Tensor, "t half"]]:
    key = pre_rope.positions.device, torch.float32 if exact else torch.float16
    held = _turns.get(key)
    if held is None or held[0]() is not pre_rope:
        angles = pre_rope.angles()
        turn = angles.cos().to(key[1]), angles.sin().to(key[1])
        held = _turns[key] = ref(pre_rope, lambda _: _turns.pop(key, None)), turn
    return held[1]
