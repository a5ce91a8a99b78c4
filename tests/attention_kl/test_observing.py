"""What is observed is what attention was given; observing changes nothing and leaves nothing."""

import pytest
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from intpv.attention.prefix import attend, merge, prefix_attention
from intpv.attention_kl.subject import observed, packed_row
from intpv.errors import BadInput
from intpv.hf.attention import NAME, attending_to, attention, observer, use
from intpv.hf.cache import QuestionCache


@torch.inference_mode()
def _run(subject, rows):
    ids, place, mask = packed_row(rows)
    with use(subject.decoder), attending_to(subject.prefix):
        return subject.decoder(
            input_ids=ids[None],
            position_ids=(subject.start + place)[None],
            attention_mask=mask[None, None],
            past_key_values=QuestionCache(),
        ).last_hidden_state


def _no_hook():
    return observer.get() is None and ALL_ATTENTION_FUNCTIONS[NAME] is attention


def test_observing_changes_nothing_and_leaves_nothing(watched, rows):
    subject, seen = watched.subject("int4"), []
    before = _run(subject, rows)
    assert _no_hook()
    with observed(lambda layer, asked: seen.append(layer)):
        assert not _no_hook()
        during = _run(subject, rows)
    assert _no_hook()
    assert torch.equal(during, before)
    assert torch.equal(_run(subject, rows), before)
    assert seen == [0, 1, 2, 3]  # once each, and none after the end


def test_only_the_layers_asked_for(watched, rows):
    seen = []
    watched.subject().read(rows, lambda layer, asked: seen.append(layer), layers=(1, 3))
    assert seen == [1, 3]


def test_it_is_taken_out_after_an_exception(watched, rows):
    with pytest.raises(ZeroDivisionError):
        watched.subject().read(rows, lambda layer, asked: 1 / 0)
    assert _no_hook()
    with observed(print), pytest.raises(RuntimeError, match="observed already"), observed(print):
        pass
    assert _no_hook()


def test_what_is_observed_gives_the_layers_output(watched, rows):
    """From the observed inputs, attention's output is that which goes into the layer's output projection."""
    subject, seen, outputs = watched.subject("int4"), {}, {}
    hooks = [
        layer.self_attn.o_proj.register_forward_pre_hook(lambda _, args, i=i: outputs.update({i: args[0]}))
        for i, layer in enumerate(subject.decoder.layers)
    ]
    subject.read(rows, seen.__setitem__)
    for hook in hooks:
        hook.remove()
    for layer, asked in seen.items():
        prefix = prefix_attention(asked.q, subject.prefix.layers[layer], asked.scaling)
        want, _ = merge(*prefix, *attend(asked.q, asked.k, asked.v, asked.scaling, asked.mask))
        torch.testing.assert_close(outputs[layer][0], want.transpose(0, 1).flatten(1), atol=1e-5, rtol=1e-5)


def test_rows_of_other_questions_are_not_seen():
    ids, place, mask = packed_row([torch.tensor([5, 6]), torch.tensor([7, 8, 9])])
    assert ids.tolist() == [5, 6, 7, 8, 9]
    assert place.tolist() == [0, 1, 0, 1, 2]
    assert torch.equal(mask, torch.block_diag(*(torch.ones(n, n).tril() for n in (2, 3))).bool())


@pytest.mark.parametrize("lengths", [(), (0,), (3, 0)])
def test_a_question_without_tokens_is_refused(lengths):
    with pytest.raises(BadInput, match="questions of at least 1 token, got lengths"):
        packed_row([torch.ones(n, dtype=torch.long) for n in lengths])
