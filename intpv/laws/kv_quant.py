"""Laws of a KV policy: the bytes it says, a prefix of its own, and answers from it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from intpv.check import packing
from intpv.check.finding import Check, Wrong, all_finite
from intpv.check.shown_model import QUESTIONS, Subject
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.kv_quant.packed import PackedPrefix


def checks(policy: KVQuant | NoQuant, subject: Callable[[], Subject]) -> list[Check]:
    """All of them need a model's prefix."""
    laws: dict[str, Callable[[Subject], str]] = {
        "bytes": lambda one: packing.checks(one, {"": policy})[0].judge(),
        "tokens in order": lambda one: in_place(policy, one),
        "packed once": lambda one: packed_once(policy, one),
        "layer by layer": lambda one: layer_by_layer(policy, one),
        "questions leave it alone": lambda one: answers_again(policy, one),
    }
    return [Check(name, partial(_of, law, subject), may_refuse=True) for name, law in laws.items()]


def _of(law: Callable[[Subject], str], subject: Callable[[], Subject]) -> str:
    return law(subject())


def _packed(policy: KVQuant | NoQuant, subject: Subject) -> PackedPrefix:
    return replace(subject.llm, kv_quant=policy).pack(subject.prefill).packed


def _dense(packed: PackedPrefix) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values (H_kv, S, d) of each layer, as attention reads them."""
    read = [list(zip(*layer.blocks(), strict=True)) for layer in packed.layers]
    return [(torch.cat(keys, 1).float(), torch.cat(values, 1).float()) for keys, values in read]


def in_place(policy: KVQuant | NoQuant, subject: Subject) -> str:
    """What is read back is of the prefix' shape and points where the prefix does. No bound on the error: two bits on a
    range that was calibrated on other clips may be off by more than there is."""
    worst = 0.0
    for layer, (given, got) in enumerate(zip(subject.prefill.layers, _dense(_packed(policy, subject)), strict=True)):
        for side, x, back in zip(("keys", "values"), given, got, strict=True):
            if back.shape != x.shape:
                raise Wrong(f"{side} of layer {layer} come back as {tuple(back.shape)}, must be {tuple(x.shape)}")
            cosine = float(torch.nn.functional.cosine_similarity(back.flatten(), x.float().flatten(), dim=0))
            if not cosine > 0:
                raise Wrong(f"{side} of layer {layer} come back at a cosine of {cosine:.2g}, must be above 0")
            worst = max(worst, float((back - x.float()).norm() / x.float().norm()))
    return f"off by {worst:.1%} of their norm at most"


def packed_once(policy: KVQuant | NoQuant, subject: Subject) -> str:
    """Reading gives the same each time, and asking changes neither it nor what it was made from."""
    before = [(keys.clone(), values.clone()) for keys, values in subject.prefill.layers]
    packed = _packed(policy, subject)
    if not _equal(_dense(packed), _dense(packed)):
        raise Wrong("read twice it gives other numbers")
    if not _equal(before, subject.prefill.layers):
        raise Wrong("packing changes the prefix it is given")
    return "the same numbers each time; what it was given is unchanged"


def layer_by_layer(policy: KVQuant | NoQuant, subject: Subject) -> str:
    """A watched video is packed as its layers come, a cached one at once: to the same bits."""
    prefill = subject.prefill
    llm = replace(subject.llm, kv_quant=policy)
    read = llm.read(subject.features, subject.times(subject.group_frames)).packed
    if not _equal(_dense(llm.pack(prefill).packed), _dense(read)):
        raise Wrong("packed as they come, layers hold other numbers than packed at once")
    return f"{len(prefill.layers)} layers, the same bits as at once"


def answers_again(policy: KVQuant | NoQuant, subject: Subject) -> str:
    """A question, another, the first again."""
    llm = replace(subject.llm, kv_quant=policy)
    context = llm.pack(subject.prefill)
    before = _dense(context.packed)
    first, _, again = (llm.ask(context, [one])[0].kept_logits for one in (*QUESTIONS, QUESTIONS[0]))
    all_finite("logits", first)
    if not torch.equal(first, again):
        raise Wrong(f"asked again, logits move by {float((first - again).abs().max()):.3g}, must by 0")
    if not _equal(before, _dense(context.packed)):
        raise Wrong("questions change the prefix")
    exact = subject.llm.ask(subject.llm.pack(subject.prefill), QUESTIONS[:1])[0].kept_logits
    return f"the same answer again; a logit of {exact.abs().max():.3g} moves by {(first - exact).abs().max():.2g}"


def _equal(one: Any, other: Any) -> bool:
    return all(torch.equal(x, y) for a, b in zip(one, other, strict=True) for x, y in zip(a, b, strict=True))
