"""Triton kernels: attention to packed codes, split over the prefix, and the merge of the splits. Needs triton.

A program holds one block of rows of one key head and walks one split of the prefix in blocks of BLOCK tokens with a
running softmax in base 2 (Flash-Decoding's scheme). The head dim is held in two halves, which are what RoPE pairs. Two
bits unpack to channels in the order 0, B, 1, B + 1, ... (B bytes a row); rows and result are read and written in it.

How a side's scales are applied, K_MODE and V_MODE: GROUP, one row of scales for a whole block, folded into q or into
the block's sum; TOKEN, one scale a token, folded into its logit or its weight; CELL, anything else, in the loop.
"""

from typing import no_type_check

import triton
import triton.language as tl

GROUP, TOKEN, CELL = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)


@triton.jit
@no_type_check
def channels(BITS: tl.constexpr, HALF: tl.constexpr):
    """Channel in its half of each column of an unpacked tile."""
    column = tl.arange(0, HALF)
    if BITS == 2:
        column = column % 2 * (HALF // 2) + column // 2
    return column


@triton.jit
@no_type_check
def unpack(row, seen, BITS: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr):
    """Codes of both halves, float32 (BLOCK, HALF), from pointers to the rows' first bytes."""
    if BITS == 8:
        at = row[:, None] + tl.arange(0, HALF)[None, :]
        first, second = tl.load(at, seen[:, None], 0), tl.load(at + HALF, seen[:, None], 0)
    elif BITS == 4:
        byte = tl.load(row[:, None] + tl.arange(0, HALF)[None, :], seen[:, None], 0)
        first, second = byte & 15, byte >> 4
    else:
        byte = tl.load(row[:, None] + tl.arange(0, HALF // 2)[None, :], seen[:, None], 0)
        first = tl.reshape(tl.join(byte & 3, byte >> 2 & 3), (BLOCK, HALF))
        second = tl.reshape(tl.join(byte >> 4 & 3, byte >> 6), (BLOCK, HALF))
    return first.to(tl.float32), second.to(tl.float32)


@triton.jit
@no_type_check
def spread(
    row, seen, offset, MODE: tl.constexpr, BITS: tl.constexpr, WIDTH: tl.constexpr, HALF: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Scales (or zeros) of the half that begins at channel `offset`, from pointers to the tokens' rows of a table:
    (1, HALF) if GROUP, (BLOCK, 1) if TOKEN, else (BLOCK, HALF), each cell read once."""
    if MODE == GROUP:
        tile = tl.load(row + (offset + channels(BITS, HALF)) // WIDTH)[None, :]
    elif MODE == TOKEN:
        tile = tl.load(row, seen, 0)[:, None]
    else:
        parts: tl.constexpr = 2 if BITS == 2 else 1  # runs of channels that are interleaved
        run: tl.constexpr = HALF // parts
        members: tl.constexpr = WIDTH if run > WIDTH else run
        cells: tl.constexpr = run // members
        first = tl.arange(0, cells)[:, None] * members + tl.arange(0, parts)[None, :] * run
        at = row[:, None, None] + ((offset + first) // WIDTH)[None, :, :]
        tile = tl.load(at, seen[:, None, None], 0)[:, :, None, :]
        tile = tl.reshape(tl.broadcast_to(tile, (BLOCK, cells, members, parts)), (BLOCK, HALF))
    return tile.to(tl.float32)


@triton.jit
@no_type_check
def split_attention(
    q, k, k_scale, k_zero, v, v_scale, v_zero, cos, sin, out, peaks, totals, rows, tokens, per_split,
    k_head, k_frame, k_groups, k_group, v_head, v_frame, v_groups, v_group,
    K_BITS: tl.constexpr, K_MODE: tl.constexpr, K_WIDTH: tl.constexpr, K_COLUMNS: tl.constexpr, TURNED: tl.constexpr,
    V_BITS: tl.constexpr, V_MODE: tl.constexpr, V_WIDTH: tl.constexpr, V_COLUMNS: tl.constexpr,
    HALF: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Partial out (unnormalised), peak (base 2) and total of one split. q (H_kv, rows, d), scaled by log2(e) too.

    The table row of token t is patch t % frame, group t // frame // group of `groups`; `head` is the stride of a head
    in a table, 0 if all share one. Grid: (H_kv * row blocks, splits).
    """
    blocks = tl.cdiv(rows, ROWS)
    head, split = (tl.program_id(0) // blocks).to(tl.int64), tl.program_id(1)
    row = tl.program_id(0) % blocks * ROWS + tl.arange(0, ROWS)
    live = row < rows
    k_at, v_at = channels(K_BITS, HALF), channels(V_BITS, HALF)
    q_at = q + (head * rows + row)[:, None] * (2 * HALF) + k_at[None, :]
    q1, q2 = tl.load(q_at, live[:, None], 0.0), tl.load(q_at + HALF, live[:, None], 0.0)
    q_sum = tl.sum(q1, 1) + tl.sum(q2, 1)
    k_scale, k_zero = k_scale + head * k_head, k_zero + head * k_head
    v_scale, v_zero = v_scale + head * v_head, v_zero + head * v_head
    k_bytes: tl.constexpr = 2 * HALF * K_BITS // 8
    v_bytes: tl.constexpr = 2 * HALF * V_BITS // 8
    peak = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    acc1, acc2 = tl.zeros((ROWS, HALF), tl.float32), tl.zeros((ROWS, HALF), tl.float32)
    for start in range(split * per_split, tl.minimum(split * per_split + per_split, tokens), BLOCK):
        token = start + tl.arange(0, BLOCK)
        seen = token < tokens
        k1, k2 = unpack(k + (head * tokens + token) * k_bytes, seen, K_BITS, HALF, BLOCK)
        place = start if K_MODE == GROUP else token
        place = (place % k_frame * k_groups + place // k_frame // k_group) * K_COLUMNS
        a1 = spread(k_scale + place, seen, 0, K_MODE, K_BITS, K_WIDTH, HALF, BLOCK)
        b1 = spread(k_zero + place, seen, 0, K_MODE, K_BITS, K_WIDTH, HALF, BLOCK)
        if K_MODE == TOKEN:
            a2, b2 = a1, b1
        else:
            a2 = spread(k_scale + place, seen, HALF, K_MODE, K_BITS, K_WIDTH, HALF, BLOCK)
            b2 = spread(k_zero + place, seen, HALF, K_MODE, K_BITS, K_WIDTH, HALF, BLOCK)
        if TURNED or K_MODE == CELL:
            k1, k2 = k1 * a1 + b1, k2 * a2 + b2
            if TURNED:
                turn = token[:, None] * HALF + k_at[None, :]
                c, s = tl.load(cos + turn, seen[:, None], 0.0), tl.load(sin + turn, seen[:, None], 0.0)
                k1, k2 = k1 * c - k2 * s, k2 * c + k1 * s
            logits = tl.dot(q1, tl.trans(k1), input_precision=PRECISION)
            logits += tl.dot(q2, tl.trans(k2), input_precision=PRECISION)
        elif K_MODE == GROUP:
            logits = tl.dot(q1 * a1, tl.trans(k1), input_precision=PRECISION)
            logits += tl.dot(q2 * a2, tl.trans(k2), input_precision=PRECISION)
            logits += (tl.sum(q1 * b1, 1) + tl.sum(q2 * b2, 1))[:, None]
        else:
            logits = tl.dot(q1, tl.trans(k1), input_precision=PRECISION)
            logits += tl.dot(q2, tl.trans(k2), input_precision=PRECISION)
            logits = logits * tl.trans(a1) + q_sum[:, None] * tl.trans(b1)
        logits = tl.where(seen[None, :], logits, float("-inf"))
        higher = tl.maximum(peak, tl.max(logits, 1))
        weights, shrink = tl.exp2(logits - higher[:, None]), tl.exp2(peak - higher)
        peak, mass = higher, tl.sum(weights, 1)
        total = total * shrink + mass
        acc1, acc2 = acc1 * shrink[:, None], acc2 * shrink[:, None]
        v1, v2 = unpack(v + (head * tokens + token) * v_bytes, seen, V_BITS, HALF, BLOCK)
        place = start if V_MODE == GROUP else token
        place = (place % v_frame * v_groups + place // v_frame // v_group) * V_COLUMNS
        a1 = spread(v_scale + place, seen, 0, V_MODE, V_BITS, V_WIDTH, HALF, BLOCK)
        b1 = spread(v_zero + place, seen, 0, V_MODE, V_BITS, V_WIDTH, HALF, BLOCK)
        if V_MODE == TOKEN:
            rest = tl.sum(weights * tl.trans(b1), 1)[:, None]
            weights = weights * tl.trans(a1)
            acc1 += tl.dot(weights, v1, input_precision=PRECISION) + rest
            acc2 += tl.dot(weights, v2, input_precision=PRECISION) + rest
        else:
            a2 = spread(v_scale + place, seen, HALF, V_MODE, V_BITS, V_WIDTH, HALF, BLOCK)
            b2 = spread(v_zero + place, seen, HALF, V_MODE, V_BITS, V_WIDTH, HALF, BLOCK)
            if V_MODE == GROUP:
                acc1 += tl.dot(weights, v1, input_precision=PRECISION) * a1 + mass[:, None] * b1
                acc2 += tl.dot(weights, v2, input_precision=PRECISION) * a2 + mass[:, None] * b2
            else:
                acc1 += tl.dot(weights, v1 * a1 + b1, input_precision=PRECISION)
                acc2 += tl.dot(weights, v2 * a2 + b2, input_precision=PRECISION)
    at = (head * tl.num_programs(1) + split) * rows + row
    tl.store(peaks + at, peak, live)
    tl.store(totals + at, total, live)
    out_at = out + at[:, None] * (2 * HALF) + v_at[None, :]
    tl.store(out_at, acc1, live[:, None])
    tl.store(out_at + HALF, acc2, live[:, None])


@triton.jit
@no_type_check
def merge_splits(
    parts, peaks, totals, out, lse, rows, splits, SPLITS: tl.constexpr, D: tl.constexpr
):  # fmt: skip
    """Out (H_kv, rows, d) and lse (natural) from the splits' partial ones. Grid: (H_kv * rows,); SPLITS >= splits."""
    head, row = (tl.program_id(0) // rows).to(tl.int64), tl.program_id(0) % rows
    split, channel = tl.arange(0, SPLITS), tl.arange(0, D)
    at = (head * splits + split) * rows + row
    peak = tl.load(peaks + at, split < splits, float("-inf"))
    highest = tl.max(peak, 0)
    share = tl.exp2(peak - highest)
    total = tl.sum(tl.load(totals + at, split < splits, 0.0) * share, 0)
    part = tl.load(parts + at[:, None] * D + channel[None, :], (split < splits)[:, None], 0.0)
    tl.store(out + (head * rows + row) * D + channel, tl.sum(part * share[:, None], 0) / total)
    tl.store(lse + head * rows + row, (highest + tl.log2(total)) * 0.6931471805599453)
