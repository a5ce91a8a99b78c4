"""NoScaling: s is 1 whatever the length, and a factor it would ignore is refused."""

import pytest

from intpv.errors import BadInput
from intpv.rope_strategy.none import NoScaling


@pytest.mark.parametrize("factor", ["auto", 1, 1.0])
@pytest.mark.parametrize("window", ["visual", "llm"])
def test_factor_is_always_one(layout, factor, window):
    assert NoScaling(factor=factor, window=window).resolve(layout, (1,), 1) == 1.0


@pytest.mark.parametrize("factor", [2, 1.5])
def test_refuses_a_factor(factor):
    with pytest.raises(BadInput, match=f"rope_strategy=none does not scale: factor must be 1 or auto, got {factor}"):
        NoScaling(factor=factor)


def test_refuses_what_every_strategy_refuses():
    with pytest.raises(BadInput, match=r"got 0\.5"):
        NoScaling(factor=0.5)
