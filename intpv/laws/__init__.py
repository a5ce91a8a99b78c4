"""Laws: what an option of a group must keep, ours or a user's; `laws_of` gives them to a check or to any pytest."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from intpv.check.finding import Check
from intpv.check.shown_model import Subject
from intpv.errors import BadInput
from intpv.laws import budget, data, kv_evict, kv_quant, rearranger, rope_strategy, scorer
from intpv.model.model import Model
from intpv.options import option
from intpv.rearranger.contiguous import Contiguous

GROUPS: dict[str, Callable[[Any, Callable[[], Subject]], list[Check]]] = {
    "rope_strategy": rope_strategy.checks,
    "rearranger": rearranger.checks,
    "kv_quant": kv_quant.checks,
    "budget": budget.checks,
    "kv_evict": kv_evict.checks,
    "data": lambda benchmark, _: data.checks(benchmark),
    "scorer": lambda made, _: scorer.checks(made),
}


def laws_of(group: str, chosen: object, model: Callable[[], Model] | None = None) -> list[Check]:
    """The laws of an option, by its name or as an object, in the order in which one needs the other.

    `law.judge()` gives the figure or raises, as in a test of your own:

        @pytest.mark.parametrize("law", laws_of("rope_strategy", Mine()), ids=str)
        def test_mine(law):
            law.judge()

    `model` is called once some law needs one; None is the embedded mini model. BadInput for a group without laws.
    """
    if group not in GROUPS:
        raise BadInput(f"there are laws of {', '.join(GROUPS)}, got {group}")
    made = option(group, chosen) if isinstance(chosen, str) else chosen
    return GROUPS[group](made, cache(partial(_subject, model or embedded)))


def _subject(model: Callable[[], Model]) -> Subject:
    return Subject(model(), Contiguous())


@cache
def embedded() -> Model:
    """The mini model, loaded once."""
    return option("model", "mini", encoder=option("encoder", "languagebind"))
