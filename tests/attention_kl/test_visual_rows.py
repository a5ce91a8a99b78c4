"""Visual rows attend as they did in prefill, by transformers' own maps; on identical caches nothing is lost."""

import pytest
import torch
from transformers import DynamicCache

from intpv.attention_kl.passes import beginning, sample, visual_rows
from intpv.errors import BadInput

from .dense import entropy, layout


@pytest.fixture(scope="module")
def sampled(watched):
    """(places, their tokens)."""
    drawn, places = sample(watched.prefill.layout, 4, seed=0)
    return places, watched.tokens.flatten(0, 1)[drawn]


@torch.inference_mode()
def _embeddings(watched):
    """(S, D), as prefill had them."""
    model = watched.video_llm.model
    embed = model.llm.get_input_embeddings()
    before = embed(torch.tensor(model.tokenizer(model.prompt.before_video).input_ids))
    after = embed(torch.tensor(model.tokenizer(model.prompt.after_video, add_special_tokens=False).input_ids).long())
    return torch.cat([before, watched.tokens.flatten(0, 1), after])


@torch.inference_mode()
def _maps(watched):
    """transformers' causal maps over the whole prefix, (H, S, S) per layer in float64."""
    llm = watched.video_llm
    tokens = range(watched.prefill.layout.length)
    decoder, previous = llm.model.decoder, llm.model.decoder.config._attn_implementation
    decoder.set_attn_implementation("eager")
    try:
        with watched.subject().rotated(tokens):
            out = decoder(
                inputs_embeds=_embeddings(watched)[None],
                position_ids=torch.tensor([tokens]),
                past_key_values=DynamicCache(),
                output_attentions=True,
            )
    finally:
        decoder.set_attn_implementation(previous)
    return [one[0].double() for one in out.attentions]


def test_they_attend_as_in_prefill(watched, sampled):
    found = visual_rows(watched.subject(), watched.subject("int2"), *sampled)
    rows = torch.stack([one[:, sampled[0]] for one in _maps(watched)])  # (L, H, rows, S)
    want = entropy(rows).mean(-1)
    for scope in ("local", "end_to_end"):
        assert (found[scope].rows["kl/all"] == len(sampled[0])).all()
        torch.testing.assert_close(found[scope].mean("entropy/reference"), want, atol=1e-4, rtol=1e-4)
        assert float(found[scope].mean("kl/all").mean()) > 1e-3


def test_on_identical_caches_nothing_is_lost(watched, sampled):
    for sums in visual_rows(watched.subject(), watched.subject(), *sampled).values():
        assert sums.mean("kl/all").max() < 1e-6
        assert (sums.mean("top1_agreement") == 1).all()


def test_the_sample_is_of_visual_tokens_in_order_and_the_seeds():
    shape = layout(text=7, frames=3, per_frame=5, after=2)
    drawn, places = sample(shape, 6, seed=1)
    assert torch.equal(places, drawn + 7)
    assert len(places) == 6
    assert (places.diff() > 0).all()
    assert ((places >= 7) & (places < 22)).all()
    assert torch.equal(places, sample(shape, 6, seed=1)[1])
    assert not torch.equal(places, sample(shape, 6, seed=2)[1])
    assert torch.equal(sample(shape, 99, seed=0)[1], torch.arange(7, 22))


@pytest.mark.parametrize("length", [1, 20, 10**6])
def test_a_beginning_is_the_same_keys_cut_off(watched, length):
    packed = watched.packed("int4").packed
    for layer, cut in zip(packed.layers, beginning(packed, length).layers, strict=True):
        whole, part = ([torch.cat(side, 1) for side in zip(*one.blocks(), strict=True)] for one in (layer, cut))
        assert all(torch.equal(ours, theirs[:, :length]) for ours, theirs in zip(part, whole, strict=True))


def test_without_visual_tokens_there_are_no_rows(watched):
    subject, none = watched.subject(), torch.empty(0)
    with pytest.raises(BadInput, match=r"at least 1 visual token .* got 0"):
        visual_rows(subject, subject, none.long(), none[:, None])
