"""Pieces: layout and embeddings of one list agree, whatever the list."""

import random

import pytest
import torch

from intpv.encoder.prefix_pieces import Vector, Words, embeddings_of, layout_of
from intpv.layout import Span


@pytest.mark.parametrize("seed", range(10))
def test_layout_and_embeddings_agree(seed):
    draw, embed = random.Random(seed), torch.nn.Embedding(9, 4)
    makers = [
        lambda: Words(tuple(draw.randrange(9) for _ in range(draw.randrange(4)))),
        lambda: Vector(torch.full((4,), -7.0)),
        lambda: Span(draw.randrange(1, 5), time=1.0),
    ]
    pieces = [draw.choice(makers)() for _ in range(12)] + [Span(2, time=2.0)]
    layout = layout_of(pieces)
    visual = torch.arange(layout.visual_length * 4.0).reshape(-1, 4)
    embeddings = embeddings_of(pieces, visual, embed)
    assert len(embeddings) == layout.length
    is_frame = torch.tensor([span.is_frame for span in layout.spans for _ in range(span.length)])
    assert torch.equal(embeddings[is_frame], visual)
    said = [
        i for piece in pieces if not isinstance(piece, Span) for i in ([-1] if isinstance(piece, Vector) else piece.ids)
    ]
    expected = torch.stack([torch.full((4,), -7.0) if i < 0 else embed.weight[i] for i in said])
    assert torch.equal(embeddings[~is_frame], expected)
    assert not any(a.is_frame == b.is_frame is False for a, b in zip(layout.spans, layout.spans[1:], strict=False))


def test_tokens_that_no_piece_shows_are_an_error():
    with pytest.raises(ValueError, match="must show all 5 visual tokens, got 3"):
        embeddings_of([Span(3, time=0.0)], torch.zeros(5, 4), torch.nn.Embedding(2, 4))
