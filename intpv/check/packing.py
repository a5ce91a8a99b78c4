"""Packing: every KV policy packs the prefix into the bytes of its closed form, or is refused and says why."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from intpv.check.finding import Check, equal
from intpv.check.shown_model import Subject
from intpv.kv_quant.kv_quant import KVQuant, NoQuant


def checks(subject: Subject, policies: Mapping[str, KVQuant | NoQuant]) -> list[Check]:
    """A check for each KV policy, by its option's name: bytes held against its closed form."""
    made = {name: partial(_packs, subject, one) for name, one in policies.items()}
    return [Check(f"kv_quant={name}", judge, may_refuse=True) for name, judge in made.items()]


def _packs(subject: Subject, policy: KVQuant | NoQuant) -> str:
    prefill = subject.prefill
    packed = replace(subject.llm, kv_quant=policy).pack(prefill).packed
    keys = prefill.layers[0][0]
    expected = policy.closed_form_bytes(
        layers=len(prefill.layers),
        kv_heads=keys.shape[0],
        head_dim=keys.shape[2],
        length=keys.shape[1],
        element_size=keys.element_size(),
        layout=prefill.layout,
        devices=len({keys.device for layer, (keys, _) in enumerate(prefill.layers) if layer not in policy.skip_layers}),
    )
    equal("bytes held", packed.ledger()["total"], expected, "closed form")
    return f"{expected:,} bytes, as the closed form; {packed.bits_per_element:.2f} bits per element"
