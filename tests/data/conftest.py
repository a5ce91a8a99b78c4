"""The first clips of flipbook, written once per test session."""

import pytest

from intpv.data.flipbook import Flipbook


@pytest.fixture(scope="session")
def flipbook_root(tmp_path_factory) -> str:
    """A cache folder that holds the first four clips of seed 0."""
    root = str(tmp_path_factory.mktemp("flipbook"))
    Flipbook(root, limit=4).items()
    return root


@pytest.fixture
def flipbook(flipbook_root) -> Flipbook:
    return Flipbook(flipbook_root, limit=4)
