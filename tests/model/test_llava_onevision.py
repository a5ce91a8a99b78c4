"""LLaVA-OneVision: one newline after the last frame, which is text to everyone who reads the layout."""

import torch

from .families import clip, family
from .test_families import build


def test_the_newline_is_one_text_token_behind_the_last_frame():
    known = family("llava_onevision")
    context = build(known.model).watch(*clip(8, known.size))
    *_, last, newline = context.layout.spans
    assert (last.is_frame, newline.is_frame, newline.length) == (True, False, 1)
    assert context.layout.visual_length == 8 * 9


@torch.no_grad()
def test_the_newline_is_heard():
    known = family("llava_onevision")
    llm, (pixels, times) = build(known.model), clip(8, known.size)
    newline = known.model.llm.model.image_newline
    before, kept = llm.ask(llm.watch(pixels, times), ["yes"])[0].logits, newline.clone()
    newline.mul_(-1)
    after = llm.ask(llm.watch(pixels, times), ["yes"])[0].logits
    newline.copy_(kept)
    assert (after - before).abs().max() > 1e-2
    assert torch.equal(newline, kept)
