"""MSRVTT-QA: all of its questions are read in seconds, and no video is opened."""

import subprocess
import sys

import pytest

from intpv.data.item_check import check_items
from intpv.data.msrvtt_qa import MsrvttQa

# in a process of its own, for checking types takes longer than loading; processor time, for others may be at work
LOAD = """
import sys, time
from intpv.data.msrvtt_qa import MsrvttQa
start = time.process_time()
MsrvttQa(sys.argv[1], "videos/all").items()
print(time.process_time() - start)
"""
QUESTIONS, VIDEOS = 72821, 2990


@pytest.mark.slow
def test_as_many_questions_as_published_within_five_seconds(write, caplog):
    ids = [(f"video{7010 + i % VIDEOS}", f"v_video{7010 + i % VIDEOS}_{i}") for i in range(QUESTIONS)]
    asked = [{"video_name": video, "question": "what is it?", "question_id": one} for video, one in ids]
    answered = [{"answer": f"a{i}", "question_id": one} for i, (_, one) in enumerate(ids)]
    root = write({"test_q.json": asked, "test_a.json": answered}, ("videos/all/video7010.mp4",))
    took = subprocess.run([sys.executable, "-c", LOAD, root], capture_output=True, text=True, check=True).stdout
    assert float(took) < 5
    items = MsrvttQa(root, "videos/all").items()
    assert len(items) == VIDEOS
    assert "as published" not in caplog.text
    assert f"{VIDEOS - 1} of {VIDEOS} videos are not there" in caplog.text
    assert items[0].path == f"{root}/videos/all/video7010.mp4"
    assert items[1].questions[0].answer == "a1"
    check_items(items, "msrvtt_qa", closed=False)
