"""ActivityNet-QA: files begin with v_, kinds are the nine types."""

from collections import Counter

import pytest

from intpv.data.activitynet_qa import KINDS, ActivityNetQa
from intpv.data.item_check import check_items
from intpv.errors import BadInput

QUESTION = {"video_name": "1QIUV7WYKXg", "question": "is it", "question_id": "v_1QIUV7WYKXg_3"}


def test_paths_and_kinds(write):
    answer = {"answer": "no", "type": 3, "question_id": "v_1QIUV7WYKXg_3"}
    root = write({"test_q.json": [QUESTION], "test_a.json": [answer]})
    (item,) = ActivityNetQa(root, "all_test").items()
    assert item.path == f"{root}/all_test/v_1QIUV7WYKXg.mp4"
    assert item.questions[0].kind == "yes_no"


@pytest.mark.parametrize("kind", [9, -1, "x", True, None])
def test_a_type_that_there_is_none_of(write, kind):
    answer = {"answer": "no", "type": kind, "question_id": "v_1QIUV7WYKXg_3"}
    root = write({"test_q.json": [QUESTION], "test_a.json": [answer]})
    with pytest.raises(BadInput, match=r"test_a.json, entry 1: type must be a whole number from 0 to 8, got"):
        ActivityNetQa(root).items()


def test_the_published_files(published, caplog, floor_of):
    items = ActivityNetQa(
        published({"test_q.json": "activitynet_test_q.json", "test_a.json": "activitynet_test_a.json"})
    ).items()
    assert "as published" not in caplog.text
    assert len(items) == 800
    kinds = Counter(question.kind for item in items for question in item.questions)
    assert [kinds[kind] for kind in KINDS] == [800, 800, 800, 2094, 697, 318, 386, 606, 1499]
    check_items(items, "activitynet_qa", closed=False)
    assert floor_of(items) == 0.246
