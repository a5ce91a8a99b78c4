"""The first clips of flipbook, written once per test session."""

import json
from pathlib import Path

import pytest

from intpv.data.flipbook import Flipbook
from intpv.metrics.majority_floor import majority_floor


@pytest.fixture(scope="session")
def flipbook_root(tmp_path_factory) -> str:
    """A cache folder that holds the first four clips of seed 0."""
    root = str(tmp_path_factory.mktemp("flipbook"))
    Flipbook(root, limit=4).items()
    return root


@pytest.fixture
def flipbook(flipbook_root) -> Flipbook:
    return Flipbook(flipbook_root, limit=4)


@pytest.fixture
def floor_of():
    """The majority floor of all questions, in tenths of a percent."""

    def of(items) -> float:
        lines = [vars(question) for item in items for question in item.questions]
        return round(majority_floor(lines)["majority_floor"], 3)

    return of


SHARED = Path(__file__).parents[3] / "shared" / "annotations"


@pytest.fixture
def published(tmp_path):
    """Real annotation files by name, laid out in a folder, path -> file; skips where there are none."""

    def laid_out(files: dict[str, str]) -> str:
        for name, file in files.items():
            if not (SHARED / file).exists():
                pytest.skip(f"{SHARED / file} is not here")
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).symlink_to(SHARED / file)
        return str(tmp_path)

    return laid_out


@pytest.fixture
def write(tmp_path):
    """Writes files of annotations, JSON unless they are texts, and empty files for videos; gives their folder."""

    def written(files: dict, videos: tuple[str, ...] = ()) -> str:
        for name, content in (*files.items(), *((video, "") for video in videos)):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(tmp_path)

    return written
