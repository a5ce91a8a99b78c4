"""Video-LLaVA: merge.jsonl has its four keys, and comes back."""

import json

import pytest

from intpv.errors import BadInput
from intpv.exchange.video_llava import read, write


def test_round_trip(lines, facts, tmp_path, kept):
    open_lines = [{**line, "options": [], "kind": "question", "labels": {}, "question": "What?"} for line in lines()]
    (file,) = write(open_lines, facts, tmp_path)
    assert json.loads(file.read_text().split("\n")[0]).keys() >= {"id", "question", "answer", "pred"}
    found = read(file)
    without = ("correct", "valid", "error")
    said = [{**line, "prediction": line["prediction"] or ""} for line in open_lines]
    assert kept(found.samples, *without) == kept(said, *without)
    assert not found.scored


def test_a_file_of_video_llavas_own(tmp_path):
    file = tmp_path / "MSVD_Zero_Shot_QA" / "Video-LLaVA-7B" / "merge.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"id": "v_1", "question": "is it?", "answer": "yes", "pred": "Yes."}\n')
    found = read(file)
    assert (found.model, found.task) == ("Video-LLaVA-7B", "MSVD_Zero_Shot_QA")
    (sample,) = found.samples
    assert (sample["id"], sample["video"], sample["prediction"]) == ("v_1", "v_1", "Yes.")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"id": "1", "question": "?", "answer": "yes"}', "line 1: must have the field pred"),
        ('{"id": "1", "question": "?", "answer": "yes", "pred": 3}', "line 1: pred must be a text, got 3"),
        ('{"id": "1"', "line 1: must be JSON"),
    ],
)
def test_bad_files(tmp_path, text, line):
    (tmp_path / "merge.jsonl").write_text(text)
    with pytest.raises(BadInput) as refused:
        read(tmp_path / "merge.jsonl")
    assert line in str(refused.value)
