"""Made-up lines of samples.jsonl, drawn by a seed."""

import numpy as np
import pytest

KINDS = {"first": ("red", "blue", "green", "pink"), "presence": ("yes", "no")}


@pytest.fixture(scope="session")
def line():
    """A line that was answered correctly, unless told otherwise."""

    def make(id="v0/0", **changes):
        answered = {
            "id": id,
            "video": id.split("/")[0],
            "kind": "presence",
            "labels": {"regime": "slow"},
            "question": "Did red flash?",
            "options": ["yes", "no"],
            "answer": "yes",
            "prediction": "yes",
            "correct": True,
            "valid": True,
            "ceiling": 1.0,
            "blind": 0.5,
            "choice": "yes",
            "loglik": [-0.1, -2.0],
            "error": None,
        }
        return {**answered, **changes}

    return make


@pytest.fixture(scope="session")
def failed(line):
    """A line of a video that could not be decoded."""

    def make(id="v0/0", **changes):
        nothing = dict.fromkeys(("prediction", "choice", "loglik"))
        return line(id, **{**nothing, "correct": False, "valid": False, "error": "no frames", **changes})

    return make


@pytest.fixture(scope="session")
def draw(line):
    """`videos` clips of ten questions; a clip's difficulty is drawn first, so its questions stand or fall together."""

    def make(videos=60, seed=0, accuracy=0.7):
        rng = np.random.default_rng(seed)
        lines = []
        for video in range(videos):
            easy = rng.beta(4 * accuracy, 4 * (1 - accuracy))
            for index in range(10):
                kind = list(KINDS)[index % 2]
                right, likely = rng.random(2) < easy
                first, second, *_ = KINDS[kind]
                lines.append(
                    line(
                        f"v{video}/{index}",
                        kind=kind,
                        labels={"regime": ("slow", "fast")[video % 2]},
                        options=list(KINDS[kind]),
                        answer=first,
                        prediction=first if right else "flash",
                        correct=bool(right),
                        valid=bool(right),
                        choice=first if likely else second,
                        loglik=None,
                        ceiling=float(rng.uniform(0.8, 1.0)),
                        blind=1 / len(KINDS[kind]),
                    )
                )
        return lines

    return make
