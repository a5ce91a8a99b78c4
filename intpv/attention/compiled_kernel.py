"""Attention to codes as formulas for torch.compile, which makes each of them one loop: unpack, scale and sum.

They are plain torch and give the same without a compiler, only slowly. `format` is a constant of the loop (see
kv_quant/stored.py), G and t may differ from call to call. Nothing here is type-checked at run time: it could not be
traced.
"""

from typing import no_type_check

import torch


@no_type_check
def folded_scores(format, rows, shift, packed):
    """Logits (H_kv, R, t) where a scale is shared by tokens: it is folded into `rows`, q once per patch and group
    (H_kv, R, P, G, d), and the zeros' share of the logit is `shift` (H_kv, R, P, G)."""
    at = (slice(None), slice(None), *_place(format.cells, rows.shape[3], packed))
    total = sum(codes.unsqueeze(1) * rows[at][..., take] for codes, take in _slices(format, packed))
    return total.sum(-1) + shift[at]


@no_type_check
def scores(format, rows, partner, packed, scale, zero, cos, sin, tokens=None):
    """Logits (H_kv, R, t) with the scales in the loop. For keys before RoPE the row is rotated back to each token
    instead of the key forth: q.R(a)k = R(-a)q.k, whose channel c is q cos + partner sin of c and its pair."""
    total, half = 0, format.head_dim // 2
    table = _spread(format.cells, scale, packed, tokens), _spread(format.cells, zero, packed, tokens)
    for codes, take in _slices(format, packed):
        keys, row = _affine(format.cells, codes, take, *table), rows[:, :, None, take]
        if format.pre_rope:
            turn = slice(take.start % half, take.start % half + codes.shape[-1])
            row = row * cos[:, turn] + partner[:, :, None, take] * sin[:, turn]
        total = total + (keys.unsqueeze(1) * row).sum(-1)  # one sum behind the loop would be of something kept whole
    return total


@no_type_check
def weighted(format, weights, packed, scale, zero):
    """Sum of values (H_kv, R, d), weights (H_kv, R, t). A token's own scale is folded into its weight."""
    out, shared = [], format.cells.group != 1
    scale, zero = _spread(format.cells, scale, packed), _spread(format.cells, zero, packed)
    for codes, take in _slices(format, packed):
        if shared:
            values = _affine(format.cells, codes, take, scale, zero)
            out.append((weights.unsqueeze(-1) * values.unsqueeze(1)).sum(2))
        else:
            share = weights[..., None, None] * _columns(format.cells, scale, take).unsqueeze(1)
            rest = weights[..., None, None] * _columns(format.cells, zero, take).unsqueeze(1)
            cells = codes.unflatten(-1, (share.shape[3], -1)).unsqueeze(1)
            out.append(((cells * share).sum(2) + rest.sum(2)).flatten(-2))
    return torch.cat(out, -1)


@no_type_check
def attended(key_format, value_format, q, keys, values, tokens):
    """Attention of many rows q (h, R, d), scaled, to one dense piece -> out and lse; keys and values are what
    `dequantised` takes, `tokens` (t,) their places in the run, None if they begin it."""
    logits = sum(torch.bmm(q[..., take], x.mT) for x, take in dequantised(key_format, *keys, tokens))
    peak = logits.amax(-1, keepdim=True)
    weights = (logits - peak).exp()
    total = weights.sum(-1, keepdim=True)
    out = torch.cat([torch.bmm(weights, x) for x, _ in dequantised(value_format, *values, tokens)], -1)
    return out / total, (peak + total.log()).squeeze(-1)


@no_type_check
def dequantised(format, packed, scale, zero, cos, sin, mixing, tokens):
    """Float32 (h, t, width) of consecutive channels from codes of `tokens`, and where those are: put together they
    would have to be written twice. Without a format `packed` is dense as it is."""
    if format is None:
        return [(packed.float(), slice(0, packed.shape[-1]))]
    scale, zero = (_spread(format.cells, grid, packed, tokens) for grid in (scale, zero))
    parts = [(_affine(format.cells, codes, take, scale, zero), take) for codes, take in _slices(format, packed)]
    half = format.head_dim // 2
    if mixing is not None:
        whole = sum(x @ mixing[take] for x, take in parts)
        parts = [(whole[..., take], take) for take in (slice(0, half), slice(half, 2 * half))]
    if cos is None:
        return parts
    rotated = []
    for (first, take), (second, _) in zip(parts, parts[len(parts) // 2 :], strict=False):
        c, s = cos[:, take], sin[:, take]
        rotated += [(first * c - second * s, take)]
        rotated += [(second * c + first * s, slice(take.start + half, take.stop + half))]
    return rotated


@no_type_check
def _slices(format, packed):
    """Float codes (h, t, width) of consecutive channels and where those are: a shift and a mask each. None crosses the
    middle of the head, where a channel's partner in RoPE is."""
    count, width = 8 // format.bits, packed.shape[-1]
    if count == 1:
        halves = slice(0, width // 2), slice(width // 2, width)
        return [(packed[..., half].float(), half) for half in halves]
    mask = 2**format.bits - 1
    return [((packed >> format.bits * i & mask).float(), slice(i * width, (i + 1) * width)) for i in range(count)]


@no_type_check
def _place(cells, groups, packed, tokens=None):
    """Patch and group of each token, to index a table's axes (P, G) with; one place for all where one is shared."""
    if cells.frame == 1 and groups == 1:
        return 0, slice(None)
    if tokens is None:
        tokens = torch.arange(packed.shape[1], device=packed.device)
    group = tokens // cells.frame // cells.group if cells.group else 0  # `tokens` may lie beyond this piece's length
    return tokens % cells.frame if cells.frame > 1 else 0, group


@no_type_check
def _spread(cells, table, packed, tokens=None):
    """(H_kv or 1, t or 1, C) float32."""
    return table[(slice(None), *_place(cells, table.shape[2], packed, tokens))].float()


@no_type_check
def _columns(cells, table, take):
    """The table's columns for channels `take` as (.., cells, members), either 1 where it is shared."""
    width = take.stop - take.start
    if cells.width == 1:
        return table[..., take].unsqueeze(-2)
    if width % cells.width == 0 and take.start % cells.width == 0:
        return table[..., take.start // cells.width : take.stop // cells.width].unsqueeze(-1)
    if (one := take.start // cells.width) == (take.stop - 1) // cells.width:
        return table[..., one : one + 1].unsqueeze(-1)
    column = torch.arange(take.start, take.stop, device=table.device) // cells.width
    return table[..., column].unsqueeze(-2)


@no_type_check
def _affine(cells, codes, take, scale, zero):
    scale, zero = _columns(cells, scale, take), _columns(cells, zero, take)
    grouped = codes.unflatten(-1, (scale.shape[-2], -1))
    return (grouped * scale + zero).flatten(-2)
