"""The store: what was judged is there again, whatever a crash has left of the last line."""

import threading

from intpv.scorer.judge.client import Reply
from intpv.scorer.judge.store import ReplyStore

SAID = Reply('{"pred": "yes"}\n“1”', "judge", 3, None)


def test_replies_come_back(tmp_path):
    store = ReplyStore(tmp_path / "a" / "b.jsonl")
    refused = Reply("", "", None, None, "400: filtered")
    store.keep("k", SAID, {"question": "?"})
    store.keep("r", refused, {})
    again = ReplyStore(store.file)
    assert (again.get("k"), again.get("r")) == (SAID, refused)
    assert "k" in again
    assert "other" not in again


def test_a_torn_or_spoilt_line_costs_that_line_alone(tmp_path):
    file = tmp_path / "b.jsonl"
    for key in "abc":
        ReplyStore(file).keep(key, SAID, {})
    content = file.read_bytes()
    file.write_bytes(b"\x00\xff\n[]\n" + content[:-20])
    store = ReplyStore(file)
    assert (len(store), store.spoilt) == (2, 3)
    store.keep("d", SAID, {})
    assert {key for key in "abcd" if key in ReplyStore(file)} == set("abd")


def test_threads_and_other_stores_append_whole_lines(tmp_path):
    stores = [ReplyStore(tmp_path / "b.jsonl") for _ in range(4)]
    threads = [
        threading.Thread(
            target=lambda s=store, n=n: [s.keep(f"{n}/{i}", SAID, {"question": "x" * 5000}) for i in range(50)]
        )
        for n, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = ReplyStore(tmp_path / "b.jsonl")
    assert (len(store), store.spoilt) == (200, 0)
