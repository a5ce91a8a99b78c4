"""Lines with everything in them that a file format may trip over."""

from datetime import UTC, datetime

import pytest

from intpv.exchange.imported import CellFacts, sample_of

HOSTILE = ("=1+1", "a\tb\nc", 'say "B"', "B", "", "3", " _x0041_ ", "héllo 狗", "'quoted", "nan")


@pytest.fixture
def facts():
    return CellFacts("own/model_7b", "my_task", 32, datetime(2026, 11, 29, 12, tzinfo=UTC))


@pytest.fixture
def lines():
    """Five options, a video of two questions each, hostile predictions, the last one failed."""

    def make(labels=None):
        made, count = [], len(HOSTILE)
        for number in range(count):
            options = [f"thing {place}, {number}" for place in range(5)]
            made.append(
                sample_of(
                    f"q{number:02}",
                    f"v{number // 2}",
                    "What?\n" + "\n".join(f"{letter}. {text}" for letter, text in zip("ABCDE", options, strict=True)),
                    HOSTILE[number] if number < count - 1 else None,
                    answer=options[number % 5],
                    options=options,
                    kind="what",
                    labels=labels or {"regime": "slow"},
                    correct=number == 3,
                    valid=number != 4,
                    error="no frames" if number == count - 1 else None,
                )
            )
        return made

    return make


@pytest.fixture
def kept():
    """What a format carries of a sample."""

    def make(samples, *without):
        left_out = {"ceiling", *without}
        return [{key: value for key, value in sample.items() if key not in left_out} for sample in samples]

    return make
