"""Pieces: what a prefix is made of, in order: words, frames (as spans), and vectors that are no word of the vocabulary.

One list gives both the layout and the embeddings, so that the two cannot disagree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from intpv.layout import Layout, Span


@dataclass(frozen=True)
class Words:
    """Text, as ids of the vocabulary."""

    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Vector:
    """One learned embedding, for example LLaVA-OneVision's image_newline; text-like: it belongs to no frame."""

    embedding: Float[Tensor, " D"]


Piece = Words | Vector | Span


def first_words(tokenizer: PreTrainedTokenizerBase, text: str) -> Words:
    """Text at the start of a prompt, with the tokenizer's own BOS."""
    return Words(tuple(tokenizer(text).input_ids))


def words(tokenizer: PreTrainedTokenizerBase, text: str, behind: str = "") -> Words:
    """Text inside a prompt. A tokenizer that treats the start of a text apart is shown `behind`, a special token."""
    ids = tokenizer(behind + text, add_special_tokens=False).input_ids
    return Words(tuple(ids[len(tokenizer(behind, add_special_tokens=False).input_ids) if behind else 0 :]))


def tokens_of(piece: Piece) -> int:
    """How many."""
    if isinstance(piece, Span):
        return piece.length
    return 1 if isinstance(piece, Vector) else len(piece.ids)


def layout_of(pieces: Sequence[Piece]) -> Layout:
    """Frames' spans as they are, a span for each run of text; empty text leaves no trace."""
    spans: list[Span] = []
    for piece in pieces:
        length = tokens_of(piece)
        if isinstance(piece, Span):
            spans.append(piece)
        elif spans and not spans[-1].is_frame:
            spans[-1] = Span(spans[-1].length + length)
        elif length:
            spans.append(Span(length))
    return Layout(tuple(spans))


def embeddings_of(
    pieces: Sequence[Piece], visual: Float[Tensor, "V D"], embed: Callable[[Tensor], Tensor]
) -> Float[Tensor, "S D"]:
    """Every piece's embeddings in order; `visual` are those of all frames' tokens, `embed` looks words up."""
    parts, shown = [], 0
    for piece in pieces:
        if isinstance(piece, Span):
            parts.append(visual[shown : shown + piece.length])
            shown += piece.length
        elif isinstance(piece, Vector):
            parts.append(piece.embedding[None].to(visual.device, visual.dtype))
        else:
            parts.append(embed(torch.tensor(piece.ids, dtype=torch.long, device=visual.device)))
    if shown != len(visual):
        raise ValueError(f"the pieces must show all {len(visual)} visual tokens, got {shown}")
    return torch.cat(parts)


def embeddings_within(
    pieces: Sequence[Piece],
    run: range,
    visual: Callable[[range], Float[Tensor, "V D"]],
    embed: Callable[[Tensor], Tensor],
) -> Float[Tensor, "n D"]:
    """As `embeddings_of`, of the prefix' tokens `run` alone; `visual` makes the tokens of a range of frames."""
    begin = first = shown = 0
    chosen: list[Piece] = []
    frames: list[int] = []
    for piece in pieces:
        stop = begin + tokens_of(piece)
        if begin < run.stop and run.start < stop:
            first = first if chosen else begin
            chosen.append(piece)
            frames += [shown] * isinstance(piece, Span)
        shown += isinstance(piece, Span)
        begin = stop
    tokens = visual(range(frames[0], frames[-1] + 1) if frames else range(0))
    return embeddings_of(chosen, tokens, embed)[run.start - first : run.stop - first]
