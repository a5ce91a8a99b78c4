"""Triton kernels: attention to packed codes, split over the prefix, and the merge of the splits. Needs triton.

A program holds one block of rows of one key head and walks one split of the prefix in blocks of BLOCK tokens with a
running softmax in base 2 (Flash-Decoding's scheme). The head dim is held in two halves, which are what RoPE pairs.

Codes are made numbers again before they are multiplied: to fold scales into rows costs sums over every row in every
block. Where in a table a block's scales lie, K_MODE and V_MODE: ROW, one row of scales for the whole block; TOKEN, one
scale a token; CELL, anything else, in the loop.

Factors of the matrix products are float32 in three TF32 products each (EXACT), or float16. There rows are divided by
the power of two below their largest number and weights multiplied by 2^15, so that what is rounded to zero is nothing
beside what is not; codes become numbers in one rounding, of the sum, if multiplication and addition are fused.
"""

import math
from typing import no_type_check

import triton
import triton.language as tl

ROW, TOKEN, CELL = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
LN2 = tl.constexpr(math.log(2))
# what differs from video to video, and from step to step, is never compiled in
SIDE = ("head", "rows", "frame", "groups")
LENGTHS = ["rows", "tokens", "per_split", *(f"{side}_{name}" for side in "kv" for name in SIDE)]


@triton.jit
@no_type_check
def unpack(row, seen, BITS: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr):
    """Codes of both halves, uint8 (BLOCK, HALF), from pointers to the rows' first bytes."""
    if BITS == 8:
        at = row[:, None] + tl.arange(0, HALF)[None, :]
        first, second = tl.load(at, seen[:, None], 0), tl.load(at + HALF, seen[:, None], 0)
    elif BITS == 4:
        byte = tl.load(row[:, None] + tl.arange(0, HALF)[None, :], seen[:, None], 0)
        first, second = byte & 15, byte >> 4
    else:
        byte = tl.load(row[:, None] + tl.arange(0, HALF // 2)[None, :], seen[:, None], 0)
        first = tl.reshape(tl.permute(tl.join(byte & 3, byte >> 2 & 3), (0, 2, 1)), (BLOCK, HALF))
        second = tl.reshape(tl.permute(tl.join(byte >> 4 & 3, byte >> 6), (0, 2, 1)), (BLOCK, HALF))
    return first, second


@triton.jit
@no_type_check
def spread(row, seen, offset, MODE: tl.constexpr, WIDTH: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr):
    """Scales (or zeros) of the half that begins at channel `offset`, from pointers to the tokens' rows of a table:
    (1, HALF) if ROW, or one for all channels, (BLOCK, 1) if TOKEN, else (BLOCK, HALF), each cell read once."""
    if MODE == ROW and WIDTH >= 2 * HALF:
        tile = tl.load(row)
    elif MODE == ROW:
        tile = tl.load(row + (offset + tl.arange(0, HALF)) // WIDTH)[None, :]
    elif MODE == TOKEN:
        tile = tl.load(row, seen, 0)[:, None]
    else:
        members: tl.constexpr = WIDTH if HALF > WIDTH else HALF
        cell = offset // WIDTH + tl.arange(0, HALF // members)
        tile = tl.load(row[:, None] + cell[None, :], seen[:, None], 0)[:, :, None]
        tile = tl.reshape(tl.broadcast_to(tile, (BLOCK, HALF // members, members)), (BLOCK, HALF))
    return tile


@triton.jit
@no_type_check
def numbers(code, scale, zero, EXACT: tl.constexpr):
    """Code x scale + zero, float32 if EXACT, else float16."""
    if EXACT:
        x = code.to(tl.float32) * scale.to(tl.float32) + zero.to(tl.float32)
    else:
        # the last bits of float16's 1024 ... 1279 count from 0 to 255: exact, and quicker than a conversion
        x = ((code.to(tl.uint16) | 0x6400).to(tl.float16, bitcast=True) - 1024.0) * scale.to(tl.float16)
        x += zero.to(tl.float16)
    return x


@triton.jit
@no_type_check
def halves(
    packed, scale, zero, start, tokens, frame, groups, BITS: tl.constexpr, MODE: tl.constexpr, GROUP: tl.constexpr,
    FRAMES: tl.constexpr, WIDTH: tl.constexpr, COLUMNS: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr,
    EXACT: tl.constexpr,
):  # fmt: skip
    """Both halves of a block of keys or values, each (BLOCK, HALF), from pointers to a head's codes, scales and zeros.

    The table row of token t is patch t % frame, group t // frame // GROUP of `groups`; without FRAMES a frame is one
    token. A lone group is divided for too: a row that is known to be the same for all blocks would fill the registers.
    """
    token = start + tl.arange(0, BLOCK)
    seen = token < tokens
    first, second = unpack(packed + token * (2 * HALF * BITS // 8), seen, BITS, HALF, BLOCK)
    place = start if MODE == ROW else token
    place = place % frame * groups + place // frame // GROUP if FRAMES else place // GROUP
    scale, zero = scale + place * COLUMNS, zero + place * COLUMNS
    a1, b1 = spread(scale, seen, 0, MODE, WIDTH, HALF, BLOCK), spread(zero, seen, 0, MODE, WIDTH, HALF, BLOCK)
    if MODE == TOKEN:
        a2, b2 = a1, b1
    else:
        a2 = spread(scale, seen, HALF, MODE, WIDTH, HALF, BLOCK)
        b2 = spread(zero, seen, HALF, MODE, WIDTH, HALF, BLOCK)
    return numbers(first, a1, b1, EXACT), numbers(second, a2, b2, EXACT)


@triton.jit(do_not_specialize=LENGTHS)
@no_type_check
def split_attention(
    q, k, k_scale, k_zero, v, v_scale, v_zero, cos, sin, out, lse, scaling, rows, tokens, per_split,
    k_head, k_rows, k_frame, k_groups, v_head, v_rows, v_frame, v_groups,
    K_BITS: tl.constexpr, K_MODE: tl.constexpr, K_GROUP: tl.constexpr, K_FRAMES: tl.constexpr, K_WIDTH: tl.constexpr,
    K_COLUMNS: tl.constexpr, PRE_ROPE: tl.constexpr, V_BITS: tl.constexpr, V_MODE: tl.constexpr, V_GROUP: tl.constexpr,
    V_FRAMES: tl.constexpr, V_WIDTH: tl.constexpr, V_COLUMNS: tl.constexpr, HALF: tl.constexpr, ROWS: tl.constexpr,
    BLOCK: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """Out and lse (natural) of one split. q (H_kv, rows, d); `scaling` holds log2(e) besides.

    `k_head` and `v_head` are tokens from head to head, which may be more than `tokens`; `k_rows` and `v_rows` a head's
    rows of a table, 0 if all heads share them. Grid: (H_kv * row blocks, splits).
    """
    blocks = tl.cdiv(rows, ROWS)
    head, split = (tl.program_id(0) // blocks).to(tl.int64), tl.program_id(1)
    row, channel = tl.program_id(0) % blocks * ROWS + tl.arange(0, ROWS), tl.arange(0, HALF)
    live = row < rows
    q_at = q + (head * rows + row)[:, None] * (2 * HALF) + channel[None, :]
    q1 = tl.load(q_at, live[:, None], 0.0).to(tl.float32) * scaling
    q2 = tl.load(q_at + HALF, live[:, None], 0.0).to(tl.float32) * scaling
    factor: tl.constexpr = tl.float32 if EXACT else tl.float16
    unit, shift = tl.full((ROWS,), 1.0, tl.float32), 0.0
    if not EXACT:
        longest = tl.maximum(tl.max(tl.abs(q1), 1), tl.max(tl.abs(q2), 1))
        power = tl.floor(tl.log2(tl.where(longest > 0, longest, 1.0)))
        unit, shrunk, shift = tl.exp2(power), tl.exp2(-power)[:, None], 15.0
        q1, q2 = q1 * shrunk, q2 * shrunk
    q1, q2 = q1.to(factor), q2.to(factor)
    # in tokens of a known size, or the compiler would not know that what it loads is aligned
    k, v = k + head * k_head * (2 * HALF * K_BITS // 8), v + head * v_head * (2 * HALF * V_BITS // 8)
    k_scale, k_zero = k_scale + head * k_rows * K_COLUMNS, k_zero + head * k_rows * K_COLUMNS
    v_scale, v_zero = v_scale + head * v_rows * V_COLUMNS, v_zero + head * v_rows * V_COLUMNS
    peak = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    acc1, acc2 = tl.zeros((ROWS, HALF), tl.float32), tl.zeros((ROWS, HALF), tl.float32)
    for start in range(split * per_split, tl.minimum(split * per_split + per_split, tokens), BLOCK):
        token = start + tl.arange(0, BLOCK)
        seen = token < tokens
        k1, k2 = halves(
            k, k_scale, k_zero, start, tokens, k_frame, k_groups,
            K_BITS, K_MODE, K_GROUP, K_FRAMES, K_WIDTH, K_COLUMNS, HALF, BLOCK, EXACT,
        )  # fmt: skip
        if PRE_ROPE:
            turn = token[:, None] * HALF + channel[None, :]
            c = tl.load(cos + turn, seen[:, None], 0.0).to(tl.float32)
            s = tl.load(sin + turn, seen[:, None], 0.0).to(tl.float32)
            k1, k2 = k1.to(tl.float32), k2.to(tl.float32)
            k1, k2 = (k1 * c - k2 * s).to(factor), (k2 * c + k1 * s).to(factor)
        logits = tl.dot(q1, tl.trans(k1), input_precision="tf32x3")
        logits = tl.dot(q2, tl.trans(k2), logits, input_precision="tf32x3")
        logits = tl.where(seen[None, :], logits * unit[:, None], float("-inf"))
        largest = tl.max(logits, 1)
        higher = tl.maximum(peak, largest - shift)
        higher = tl.where(largest - higher > shift, largest, higher)  # a difference rounded up: 2^16 is no float16
        weights, shrink = tl.exp2(logits - higher[:, None]), tl.exp2(peak - higher)
        peak, total = higher, total * shrink + tl.sum(weights, 1)
        weights = weights.to(factor)
        v1, v2 = halves(
            v, v_scale, v_zero, start, tokens, v_frame, v_groups,
            V_BITS, V_MODE, V_GROUP, V_FRAMES, V_WIDTH, V_COLUMNS, HALF, BLOCK, EXACT,
        )  # fmt: skip
        acc1 = tl.dot(weights, v1, acc1 * shrink[:, None], input_precision="tf32x3")
        acc2 = tl.dot(weights, v2, acc2 * shrink[:, None], input_precision="tf32x3")
    at = (head * tl.num_programs(1) + split) * rows + row
    tl.store(lse + at, (peak + tl.log2(total)) * LN2, live)
    out_at, share = out + at[:, None] * (2 * HALF) + channel[None, :], (1 / total)[:, None]
    tl.store(out_at, acc1 * share, live[:, None])
    tl.store(out_at + HALF, acc2 * share, live[:, None])


@triton.jit(do_not_specialize=["rows", "splits"])
@no_type_check
def merge_splits(outs, lses, out, lse, rows, splits, SPLITS: tl.constexpr, D: tl.constexpr):
    """Out (H_kv, rows, d) and lse from those of the splits, SPLITS at a time. Grid: (H_kv * rows,)."""
    head, row, channel = (tl.program_id(0) // rows).to(tl.int64), tl.program_id(0) % rows, tl.arange(0, D)
    peak, total, acc = float("-inf"), 0.0, tl.zeros((D,), tl.float32)
    for first in range(0, splits, SPLITS):
        split = first + tl.arange(0, SPLITS)
        at = (head * splits + split) * rows + row
        part = tl.load(lses + at, split < splits, float("-inf")) / LN2
        higher = tl.maximum(peak, tl.max(part, 0))
        share, shrink = tl.exp2(part - higher), tl.exp2(peak - higher)
        peak, total = higher, total * shrink + tl.sum(share, 0)
        parts = tl.load(outs + at[:, None] * D + channel[None, :], (split < splits)[:, None], 0.0)
        acc = acc * shrink + tl.sum(parts * share[:, None], 0)
    tl.store(out + (head * rows + row) * D + channel, acc / total)
    tl.store(lse + head * rows + row, (peak + tl.log2(total)) * LN2)
