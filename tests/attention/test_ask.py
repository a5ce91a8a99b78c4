"""Questions as one packed row against a packed prefix give what each gives after the prefix in a plain forward."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache

from intpv.hf.attention import attending_to, use
from intpv.hf.cache import QuestionCache, layers_of
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span

from ..tiny import tiny_llama

PREFIX, QUESTIONS = 200, (5, 3, 7)
KV_ELEMENTS = 2 * PREFIX * 16  # H_kv * S * d


def _int(bits):
    return KVQuant(bits=bits, key_group=32, value_group=16)


@pytest.fixture(scope="module")
def model():
    return tiny_llama(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, initializer_range=0.2)


@pytest.fixture(scope="module")
def prefix():
    return torch.randint(0, 50, (PREFIX,), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def questions():
    generator = torch.Generator().manual_seed(2)
    return [torch.randint(0, 50, (length,), generator=generator) for length in QUESTIONS]


@torch.no_grad()
def _watch(model, prefix, policy):
    cache = model(prefix[None], use_cache=True).past_key_values
    return policy.pack(layers_of(cache), Layout((Span(len(prefix)),)), None)


class Asked:
    """Questions being answered: every new row sees the earlier keys of its own question, and the prefix."""

    def __init__(self, model, packed):
        self.model, self.packed, self.cache = model, packed, QuestionCache()
        self.owner, self.position = torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.long)

    @torch.no_grad()
    def feed(self, rows):
        """rows: one id tensor a question -> logits, one tensor a question."""
        lengths = [len(row) for row in rows]
        owner = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor(lengths))
        seen = [int((self.owner == i).sum()) for i in range(len(rows))]
        position = torch.cat([torch.arange(n) + s + self.packed.length for n, s in zip(lengths, seen, strict=True)])
        self.owner, self.position = torch.cat([self.owner, owner]), torch.cat([self.position, position])
        mask = (owner[:, None] == self.owner) & (position[:, None] >= self.position)
        with use(self.model), attending_to(self.packed):
            logits = self.model(
                torch.cat(rows)[None],
                position_ids=position[None],
                attention_mask=mask[None, None],
                past_key_values=self.cache,
            ).logits[0]
        return logits.split(lengths)


@torch.no_grad()
def _plain(model, prefix, question):
    return model(torch.cat([prefix, question])[None]).logits[0, len(prefix) :]


def test_full_precision_equals_one_plain_forward(model, prefix, questions):
    asked = Asked(model, _watch(model, prefix, NoQuant()))
    for got, question in zip(asked.feed(questions), questions, strict=True):
        torch.testing.assert_close(got, _plain(model, prefix, question), atol=1e-5, rtol=1e-5)


def test_decoding_equals_one_plain_forward(model, prefix, questions):
    asked = Asked(model, _watch(model, prefix, NoQuant()))
    logits, answers = asked.feed(questions), [question[:0] for question in questions]
    for _ in range(4):
        new = [row[-1:].argmax(-1) for row in logits]
        answers = [torch.cat(pair) for pair in zip(answers, new, strict=True)]
        logits = asked.feed(new)
        for got, question, answer in zip(logits, questions, answers, strict=True):
            want = _plain(model, prefix, torch.cat([question, answer]))[-1:]
            torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_fewer_bits_change_the_logits_more(model, prefix, questions):
    exact = torch.cat([_plain(model, prefix, question) for question in questions])
    error = {}
    for bits in (8, 4, 2):
        got = torch.cat(Asked(model, _watch(model, prefix, _int(bits))).feed(questions))
        error[bits] = ((got - exact).norm() / exact.norm()).item()
    assert error[8] < 0.02
    assert error[8] < error[4] < error[2]
    assert error[2] > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("bits", [8, 2])
def test_quantised_is_attention_to_the_dequantised_prefix(model, prefix, questions, bits):
    packed = _watch(model, prefix, _int(bits))
    for got, question in zip(Asked(model, packed).feed(questions), questions, strict=True):
        cache = DynamicCache()
        for index, layer in enumerate(packed.layers):
            cache.update(*(torch.cat(pieces, 1)[None] for pieces in zip(*layer.blocks(), strict=True)), index)
        want = model(question[None], past_key_values=cache).logits[0]
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("policy", [NoQuant(), _int(2)])
def test_the_same_question_twice_is_the_same_to_the_bit(model, prefix, questions, policy):
    packed = _watch(model, prefix, policy)
    first, second = (torch.cat(Asked(model, packed).feed(questions)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("policy", [NoQuant(), _int(2)])
def test_questions_do_not_see_each_other(model, prefix, questions, policy):
    packed = _watch(model, prefix, policy)
    for together, question in zip(Asked(model, packed).feed(questions), questions, strict=True):
        (alone,) = Asked(model, packed).feed([question])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_a_single_question_needs_no_mask(model, prefix, questions):
    packed, question = _watch(model, prefix, NoQuant()), questions[0]
    position = torch.arange(PREFIX, PREFIX + len(question))[None]
    with torch.no_grad(), use(model), attending_to(packed):
        got = model(question[None], position_ids=position, past_key_values=QuestionCache()).logits[0]
    torch.testing.assert_close(got, _plain(model, prefix, question), atol=1e-5, rtol=1e-5)


class LargeAllocations(TorchDispatchMode):
    """Names every operation whose result is new memory of at least `elements` elements (views are not new)."""

    def __init__(self, elements):
        super().__init__()
        self.elements, self.found = elements, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        known = {x.untyped_storage().data_ptr() for x in _tensors((args, kwargs or {}))}
        for x in _tensors(result):
            if x.numel() >= self.elements and x.untyped_storage().data_ptr() not in known:
                self.found.append((str(func), tuple(x.shape)))
        return result


def _tensors(tree):
    return [x for x in torch.utils._pytree.tree_leaves(tree) if isinstance(x, torch.Tensor)]


def test_asking_allocates_nothing_of_prefix_size(model, prefix):
    """One row a question, so that the scores (H * R * S) stay below the size of one layer's keys."""
    asked = Asked(model, _watch(model, prefix, NoQuant()))
    with LargeAllocations(KV_ELEMENTS) as watcher:
        for _ in range(3):
            asked.feed([prefix[:1], prefix[1:2]])
    assert watcher.found == []


def test_the_watcher_sees_a_copy_of_the_prefix(model, prefix):
    asked = Asked(model, _watch(model, prefix, _int(8)))
    with LargeAllocations(KV_ELEMENTS * 9 // 10) as watcher:
        asked.feed([prefix[:1], prefix[1:2]])
    assert watcher.found


@pytest.mark.parametrize("policy", [NoQuant(), _int(2)])
def test_asking_changes_nothing_in_the_prefix(model, prefix, questions, policy):
    packed = _watch(model, prefix, policy)
    stored = [t for layer in packed.layers for run in layer.runs for ts in run.parts().values() for t in ts]
    before = [t.clone() for t in stored]
    asked = Asked(model, packed)
    asked.feed(questions)
    asked.feed([question[:1] for question in questions])
    assert all(torch.equal(a, b) for a, b in zip(before, stored, strict=True))
