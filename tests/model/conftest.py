"""Clips that no recipe was tuned on."""

import pytest

from intpv.data.flipbook import Flipbook


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return Flipbook(root=str(tmp_path_factory.mktemp("flipbook")), videos=24, regimes=["slow"], seed=1)
