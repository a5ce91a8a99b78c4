"""A judge on the loopback, and lines to be judged."""

import pytest

from intpv.scorer.llm_judge import LLMJudge

from .judge_server import at_once, serving

USER = "Q {question} A {answer} P {prediction}"


@pytest.fixture
def served(monkeypatch):
    """behave -> a running server; retries come at once, and no proxy stands in between."""
    at_once(monkeypatch)
    yield from serving()


@pytest.fixture
def judge_of(tmp_path):
    """server -> a judge that asks it, with a short prompt and its replies in the test's folder."""

    def make(server=None, **fields):
        url = server.url if server else "http://127.0.0.1:9/v1"
        given = {"model": "judge-2026-01-01", "system": "s", "user": USER, "dir": str(tmp_path / "verdicts")}
        return LLMJudge(**{**given, "url": url, "timeout_s": 5, "key_variable": "JUDGE_KEY", **fields})

    return make


@pytest.fixture
def answered():
    """A line of an open question."""

    def make(id="v0/0", prediction="a dog", **changes):
        line = {"id": id, "video": id.split("/")[0], "kind": "what", "labels": {}, "question": f"What is {id}?"}
        line |= {"options": [], "answer": "dog", "prediction": prediction, "correct": False, "valid": True}
        return {**line, "ceiling": None, "error": None, **changes}

    return make
