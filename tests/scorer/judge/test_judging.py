"""Judging against a server that misbehaves: everything is retried as long as it is worth it, counted, and kept."""

import threading
import time
from collections import Counter

import pytest

from intpv.scorer.judge import judging
from intpv.scorer.judge.client import Stopped
from intpv.scorer.judge.judging import judge_all

from ..judge_server import KEY, YES, completion


@pytest.fixture
def ask(judge_of, answered):
    """(judge, ids) -> what became of one question each."""

    def run(judge, ids=("v0/0",), client=None):
        wanted = judge.wanted([answered(id) for id in ids])
        messages = {key: judge.messages(sample) for key, sample in wanted.items()}
        return judge_all(
            messages,
            (client or judge.client()).ask,
            lambda k, r: judge.store.keep(k, r, {}),
            judge.patience,
            answered_before=len(judge.store) > 0,
        )

    return run


TROUBLES = {
    "500": (500, {}, b"oops"),
    "503": (503, {}, b""),
    "429": (429, {"Retry-After": "0"}, b'{"error": {"message": "slow down"}}'),
    "time-out": 9.0,
    "cut off": "half",
    "no connection": "drop",
    "time-out ": "stall",  # in the middle of the body
    "no JSON": b"<html>gateway</html>",
    "no reply": b'{"error": {"message": "overloaded"}}',
}


@pytest.mark.parametrize("cause", TROUBLES)
def test_a_trouble_that_passes_is_retried_and_counted(served, judge_of, ask, cause):
    server = served(lambda prompt, times: TROUBLES[cause] if times < 3 else YES)
    judged = ask(judge_of(server, timeout_s=0.5 if "time-out" in cause else 30))
    assert (judged.answered, judged.failed, judged.refused) == (1, {}, {})
    assert judged.troubles == {cause.strip(): 2}


@pytest.mark.parametrize(
    "garbage", ["half, and calls it whole", b"", b"[]", b"{}", b'{"choices": []}', b"\xff\xfe", b"[" * 99_999]
)
def test_garbage_is_never_a_reply(served, judge_of, ask, garbage):
    server = served(lambda prompt, times: garbage if times == 1 else YES)
    judge = judge_of(server)
    judged = ask(judge)
    assert judged.answered == sum(judged.troubles.values()) == 1
    assert len(judge.store) == 1


def test_a_question_that_always_fails_is_given_up_and_the_others_go_on(served, judge_of, ask):
    server = served(lambda prompt, times: (500, {}, b"") if "v1/0" in prompt else YES)
    judge = judge_of(server, retries=2)
    judged = ask(judge, ["v0/0", "v1/0", "v2/0"])
    assert judged.answered == len(judge.store) == 2
    assert list(judged.failed.values()) == ["500: nothing said"]
    assert judged.troubles == {"500": 3}


def test_a_server_that_is_not_there_is_said_soon(judge_of, ask, served):
    with pytest.raises(Stopped, match=r"does not answer: 3 questions in a row failed 2 times each \(no connection"):
        ask(judge_of(retries=1), [f"v{n}/0" for n in range(50)])


def test_retry_after_holds_for_all_and_has_a_limit(served, judge_of, ask):
    times = []

    def behave(prompt, count):
        times.append(time.monotonic())
        return (429, {"Retry-After": "0.3"}, b"") if len(times) == 1 else YES

    assert ask(judge_of(served(behave), concurrent=1), ["v0/0", "v1/0"]).answered == 2
    assert times[1] - times[0] >= 0.3
    server = served(lambda prompt, count: (429, {"Retry-After": "3600"}, b""))
    with pytest.raises(Stopped, match=r"asks to wait 3600 s, more than scorer.patience_s=300 \(429"):
        ask(judge_of(server))


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ((401, {}, f'{{"error": {{"message": "bad key {KEY}"}}}}'.encode()), "JUDGE_KEY is refused (401: bad key ***)"),
        ((404, {}, b'{"error": {"message": "no such model"}}'), "the request is refused (404: no such model)"),
        ((302, {"Location": "http://elsewhere/"}, b""), "scorer.url is redirected to http://elsewhere/"),
        ((429, {}, b'{"error": {"message": "pay", "code": "insufficient_quota"}}'), "account of JUDGE_KEY is used up"),
    ],
)
def test_what_no_retry_mends_stops_at_once_and_never_shows_the_key(served, judge_of, ask, monkeypatch, answer, line):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    server = served(lambda prompt, times: YES if "v0/" in prompt else answer)
    judge = judge_of(server, concurrent=1)
    with pytest.raises(Stopped) as stopped:
        ask(judge, ["v0/0", *(f"v{n}/0" for n in range(1, 30))])
    assert line in str(stopped.value)
    assert KEY not in str(stopped.value) + repr(judge.client())
    assert len(judge.store) == 1
    assert len(server.bodies) == 2
    assert {head["Authorization"] for head in server.headers} == {f"Bearer {KEY}"}
    assert KEY not in judge.store.file.read_text()


def test_without_a_key_none_is_sent_and_its_variable_is_named(served, judge_of, ask):
    server = served(lambda prompt, times: (401, {}, b"who?"))
    with pytest.raises(Stopped, match=r"JUDGE_KEY is not set \(401: who\?\)"):
        ask(judge_of(server))
    assert "Authorization" not in server.headers[0]


def test_one_refused_question_is_counted_but_all_are_a_wrong_setting(served, judge_of, ask):
    filtered = (400, {}, b'{"error": {"message": "filtered"}}')
    server = served(lambda prompt, times: filtered if "v3/" in prompt else completion(None) if "v4/" in prompt else YES)
    judge = judge_of(server, concurrent=1)
    judged = ask(judge, [f"v{n}/0" for n in range(5)])
    assert judged.answered == 3
    assert sorted(judged.refused.values()) == ["400: filtered", "it answered without a text"]
    assert len(judge.store) == 5  # refusals of an answering judge are replies: nobody pays for them again
    assert ask(judge, ["v3/1"]).answered == 0  # one more, alone: it has answered before
    assert len(judge.store) == 6
    server = served(lambda prompt, times: filtered)
    other = judge_of(server, model="other-2026-01-01", concurrent=1)
    with pytest.raises(Stopped, match=r"refuses every question \(400: filtered\)"):
        ask(other, [f"v{n}/0" for n in range(20)])
    assert len(server.bodies) == 3
    assert len(other.store) == 0


def test_requests_run_at_once_up_to_the_limit(served, judge_of, ask):
    gate = threading.Barrier(4)

    def behave(prompt, times):
        gate.wait(timeout=5)  # would never open for three
        return YES

    server = served(behave)
    assert ask(judge_of(server, concurrent=4), [f"v{n}/0" for n in range(8)]).answered == 8
    assert server.most_at_once == 4


def test_an_interruption_keeps_what_is_on_its_way(served, judge_of, answered):
    server = served(lambda prompt, times: YES)
    judge = judge_of(server, concurrent=2)
    wanted = judge.wanted([answered(f"v{n}/0") for n in range(40)])

    def interrupt(judged):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge_all({key: judge.messages(one) for key, one in wanted.items()}, judge.client().ask,
                  lambda key, reply: judge.store.keep(key, reply, {}), judge.patience, interrupt)  # fmt: skip
    assert len(judge.store) == len(server.bodies) < 40


def test_every_trouble_at_once(served, judge_of, ask):
    """A third of 60 requests fail in every way in turn, and all 60 are judged."""
    kinds = list(TROUBLES)

    def behave(prompt, times):
        number = int(prompt.split("v")[1].split("/")[0])
        return TROUBLES[kinds[number // 3 % len(kinds)]] if number % 3 == 0 and times == 1 else YES

    judge = judge_of(served(behave), timeout_s=2, concurrent=12)
    judged = ask(judge, [f"v{n}/0" for n in range(60)])
    assert (judged.answered, judged.failed, judged.refused) == (60, {}, {})
    assert judged.troubles == Counter(kinds[n // 3 % len(kinds)].strip() for n in range(0, 60, 3))


def test_a_server_that_asks_for_no_pause_is_given_one(served, judge_of, ask, monkeypatch):
    monkeypatch.setattr(judging, "FIRST_S", 0.2)
    times = []

    def behave(prompt, count):
        times.append(time.monotonic())
        return (429, {"Retry-After": "0"}, b"") if count < 3 else YES

    assert ask(judge_of(served(behave))).answered == 1
    assert times[2] - times[1] > times[1] - times[0] >= 0.1  # 0.2 to 0.4 s after 0.1 to 0.2
