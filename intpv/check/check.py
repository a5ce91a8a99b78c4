"""Check: everything that watch and ask take for granted of a model, tried in the order in which one needs the other."""

from collections.abc import Iterator, Mapping

from intpv.check import model as weights
from intpv.check import packing, rotation, scaling, tower, wording
from intpv.check import watch_and_ask as answering
from intpv.check.finding import Check, Finding, findings
from intpv.check.shown_model import Subject
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.model.model import Model
from intpv.rearranger.rearranger import Rearranger
from intpv.rope_strategy.strategy import RopeStrategy


def check(
    model: Model,
    rearranger: Rearranger,
    strategies: Mapping[str, RopeStrategy],
    policies: Mapping[str, KVQuant | NoQuant],
    stated: Mapping[str, object],
) -> Iterator[Finding]:
    """A finding per check, as it is made. `strategies` and `policies` by option, `stated` is the model's config.

    Where a check fails that the later ones need, these are skipped: one fault gives one FAIL.
    """
    return findings(plan(model, rearranger, strategies, policies, stated))


def plan(model, rearranger, strategies, policies, stated) -> list[Check]:
    """In the order of need; questions come last, so that whatever they leave behind spoils no other check."""
    subject = Subject(model, rearranger)
    return [
        *weights.checks(subject, stated.get("dtype"), stated.get("device")),
        *wording.checks(subject, drawn=stated.get("weights") == "random"),
        *tower.checks(subject, stated.get("trained_visual_length")),
        Check("watch", lambda: _watch(subject), needed=True),
        *scaling.checks(subject, strategies),
        *packing.checks(subject, policies),
        *answering.checks(subject),
        *rotation.checks(subject, strategies),
    ]


def _watch(subject: Subject) -> str:
    prefill = subject.prefill
    heads, length, width = prefill.layers[0][0].shape
    return f"a prefix of {length} tokens, {len(prefill.layers)} layers of {heads} heads x {width}"
