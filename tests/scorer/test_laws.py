"""Every scorer keeps the laws of intpv/laws/scorer.py."""

import pytest

from intpv.laws import laws_of
from intpv.options import homes, option

LAWS = [(name, law) for name in homes("scorer") for law in laws_of("scorer", option("scorer", name))]


@pytest.mark.parametrize(("name", "law"), LAWS, ids=str)
def test_every_option_keeps_the_laws(name, law):
    assert law.judge()
