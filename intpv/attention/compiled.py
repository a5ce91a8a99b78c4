"""Attention to a packed layer through torch.compile: few rows read the codes themselves, many a small dense piece.

With few rows (R times the heads that share a key head) every code is unpacked per row, which costs less than a dense
copy and allocates none. With more, one head's keys are made dense at a time, small enough to stay in the processor's
cache, and multiplied as matrices. A formula is compiled once per format, number of heads and (few) rows, never per
length.
"""

from functools import cache, partial
from types import FunctionType
from zlib import crc32

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention import compiled_kernel
from intpv.attention.dense import attend_dense_run
from intpv.attention.softmax import Attended, merge, merged
from intpv.kv_quant.packed import PackedLayer, Run
from intpv.kv_quant.stored import Codes, Dense, Reading

FEW = 4  # rows of a key head; from 5 on a dense piece is cheaper (measured on a CPU)
PIECE = 1024  # tokens of all heads: the most that is dense at once
HOT = 4096  # tokens of one head, 2 MB at d = 128: what stays in a CPU's cache


@torch.no_grad()  # a graph is compiled once with gradients and once without
def compiled_attention(q: Float[Tensor, "H R d"], layer: PackedLayer, scaling: float) -> Attended:
    """See `prefix_attention`."""
    return merged(attend_run(q, run, scaling) for run in layer.runs)


def attend_run(q: Float[Tensor, "H R d"], run: Run, scaling: float) -> Attended:
    """Attention to one run -> out and lse, float32."""
    keys, values = run.keys.reading(), run.values.reading()
    codes = keys or values
    if codes is None:
        return attend_dense_run(q, run, scaling)
    rows = (q.float() * scaling).reshape(codes.packed.shape[0], -1, q.shape[2])
    pre_rope_and_mixed = keys is not None and keys.format.pre_rope and keys.format.mixed
    few = rows.shape[1] <= FEW and not pre_rope_and_mixed
    if keys is not None and keys.mixing is not None and not pre_rope_and_mixed:
        rows = rows @ keys.mixing  # q.(Hk) = (Hq).k
    out, lse = (_few if few else _many)(rows, run, keys, values)
    if values is not None and values.mixing is not None:
        out = out @ values.mixing
    return out.view(q.shape), lse.view(q.shape[:2])


def _few(rows: Tensor, run: Run, keys: Reading | None, values: Reading | None) -> Attended:
    logits = _dense_logits(rows, run) if keys is None else _logits(rows, keys)
    peak = logits.amax(-1, keepdim=True)
    weights = logits.sub_(peak).exp_()
    total = weights.sum(-1, keepdim=True)
    if values is None:
        pieces = range(0, run.length, PIECE)
        out = sum(weights[..., i : i + PIECE] @ run.values.piece(i, i + PIECE).float() for i in pieces)
    else:
        out = _compiled(compiled_kernel.weighted, (values.format,), rows)(
            _lengths(weights, 2), _lengths(values.packed, 1), *_tables(values)
        )
    return out / total, (peak + total.log()).squeeze(-1)


def _dense_logits(rows: Tensor, run: Run) -> Tensor:
    """In pieces: keys in bfloat16 are float32 for a while."""
    return torch.cat([rows @ run.keys.piece(i, i + PIECE).float().mT for i in range(0, run.length, PIECE)], -1)


def _logits(rows: Tensor, keys: Reading) -> Tensor:
    cells, packed = keys.format.cells, _lengths(keys.packed, 1)
    if keys.format.pre_rope:
        return _pre_rope_logits(rows, keys)
    if cells.group == 1:
        return _compiled(compiled_kernel.scores, (keys.format,), rows)(rows, rows, packed, *_tables(keys), None, None)
    scale, zero = (_channels(table, cells.width, rows.shape[-1])[:, None] for table in (keys.scale, keys.zero))
    folded, shift = rows[:, :, None, None] * scale, (rows[:, :, None, None] * zero).sum(-1)
    return _compiled(compiled_kernel.folded_scores, (keys.format,), rows)(
        _lengths(folded, 3), _lengths(shift, 3), packed
    )


def _pre_rope_logits(rows: Tensor, keys: Reading) -> Tensor:
    """In pieces, so that their cosines and sines, a head's worth of dense keys, stay below one dense block."""
    first, second = rows.chunk(2, -1)
    formula = _compiled(compiled_kernel.scores, (keys.format,), rows)
    length, step, pieces = keys.packed.shape[1], len(rows) * PIECE // 4, []
    for start in range(0, length, step):
        stop = min(start + step, length)
        packed = _lengths(keys.packed[:, start:stop] if start or stop < length else keys.packed, 1)
        place = _lengths(torch.arange(start, stop, device=rows.device), 0) if start else None
        partner, tables = torch.cat([second, -first], -1), _tables(keys)
        pieces.append(formula(rows, partner, packed, *tables, *_turn(keys, start, stop), place))
    return torch.cat(pieces, -1) if len(pieces) > 1 else pieces[0]


def _many(rows: Tensor, run: Run, keys: Reading | None, values: Reading | None) -> Attended:
    """Head by head on a CPU, all of them at once where a launch costs more than a miss in the cache."""
    heads, (step, tokens) = len(rows), (len(rows), PIECE)
    if rows.device.type == "cpu":
        step, tokens = 1, min(heads * PIECE, HOT)
    formats = tuple(side and side.format for side in (keys, values))
    formula = _compiled(compiled_kernel.attended, formats, rows[:step, :0])
    done: dict[int, Attended] = {}
    for start in range(0, run.length, tokens):
        span = slice(start, min(start + tokens, run.length))
        # the first piece counts its own tokens, which is quicker than to look them up
        place = _lengths(torch.arange(start, span.stop, device=rows.device), 0) if start else None
        both = (run.keys, keys, _cos_and_sin_of(keys, span)), (run.values, values, (None, None))
        for head in range(0, heads, step):
            some = slice(head, head + step)
            sides = (_piece(stored, reading, turn, some, span) for stored, reading, turn in both)
            new = formula(_lengths(rows[some], 1), *sides, place)
            done[head] = merge(*done[head], *new) if start else new
    out, lse = (torch.cat(parts) for parts in zip(*done.values(), strict=True))
    return out, lse


def _cos_and_sin_of(reading: Reading | None, tokens: slice) -> tuple[Tensor | None, Tensor | None]:
    """Once for all heads, where keys are stored before RoPE."""
    return _turn(reading, tokens.start, tokens.stop) if reading and reading.format.pre_rope else (None, None)


def _piece(stored: Dense | Codes, reading: Reading | None, turn: tuple, heads: slice, tokens: slice) -> tuple:
    """What `fused.dequantised` takes, of some heads and tokens."""
    if reading is None:
        return _lengths(stored.piece(tokens.start, tokens.stop)[heads], 1), None, None, None, None, None
    packed = _lengths(reading.packed[heads, tokens], 1)
    grids = (_lengths(table[heads] if len(table) > 1 else table, 2) for table in (reading.scale, reading.zero))
    both = reading.format.pre_rope and reading.format.mixed  # else the rows and the result are mixed instead
    return packed, *grids, *turn, reading.mixing if both else None


def _tables(reading: Reading) -> tuple[Tensor, Tensor]:
    return _lengths(reading.scale, 2), _lengths(reading.zero, 2)


def _channels(table: Tensor, width: int, head_dim: int) -> Tensor:
    """(H_kv or 1, P, G, d) or, where one cell holds the whole head, (.., 1), float32."""
    return table.float() if width in (1, head_dim) else table.float().repeat_interleave(width, -1)


def _turn(reading: Reading, start: int, stop: int) -> tuple[Tensor, Tensor]:
    """cos and sin (t, d/2): made here, or a loop over heads would make them again for each."""
    assert reading.pre_rope is not None  # as `format` says
    angles = reading.pre_rope.angles(start, stop)
    return _lengths(angles.cos(), 0), _lengths(angles.sin(), 0)


def _lengths(x: Tensor, axis: int) -> Tensor:
    """Say that this axis differs from video to video, before the first one is taken for a constant."""
    torch._dynamo.maybe_mark_dynamic(x, axis)
    return x


def _compiled(formula, formats: tuple, rows: Tensor):
    return partial(_of_its_own(formula, formats, tuple(rows.shape), rows.device), *formats)


@cache
def _of_its_own(formula, formats: tuple, shape: tuple, device: torch.device):
    # torch counts recompilations, and stops at 8, per code object, and makes a variable of each size that differed
    # between two calls of one file, line and name: a loop up to ten times as slow. So each format has a code and a name
    name = f"{formula.__name__}_{crc32(repr((formats, shape, device)).encode()):08x}"
    code = formula.__code__.replace(co_name=name)
    return torch.compile(FunctionType(code, formula.__globals__, None, formula.__defaults__), fullgraph=True)
