"""lmms-eval: our files come back whole, and have the keys of theirs; lines as its tasks write them are read."""

import hashlib
import json

import pytest

from intpv.errors import BadInput
from intpv.exchange.lmms_eval import read, write

KEYS = {"doc_id", "target", "filtered_resps", "doc_hash", "input", "score", "intpv_score"}
RESULTS = {"results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config", "task_hashes"}
PROMPT = "Select the best answer.\nWhich?\nA. red\nB. blue\nThe best answer is:"


def test_round_trip(lines, facts, tmp_path):
    samples, results = write(lines(), facts, tmp_path)
    assert samples.name == "20261129_120000_samples_my_task.jsonl"
    found = read(samples)
    assert found.samples == lines()
    assert (found.model, found.task, found.frames, found.scored) == ("own/model_7b", "my_task", 32, True)
    assert found.stated["accuracy"] == 0.1
    assert json.loads(results.read_text()).keys() >= RESULTS


def test_the_hash_is_that_of_the_document(lines, facts, tmp_path):
    line = json.loads(write(lines(), facts, tmp_path)[0].read_text().split("\n")[0])
    assert line.keys() == KEYS
    first = lines()[0]
    doc = {"question": first["question"], "options": first["options"], "answer": first["answer"]}
    assert line["doc_hash"] == hashlib.sha256(json.dumps(doc, indent=2).encode()).hexdigest()


def of_task(tmp_path, *lines, results=None):
    file = tmp_path / "20260101_000000_samples_videomme.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    if results:
        (tmp_path / "20260101_000000_results.json").write_text(json.dumps(results))
    return file


def test_a_line_of_video_mme(tmp_path):
    score = {"question_id": "001-1", "duration": "short", "task_category": "OCR Problems", "videoID": "abc"}
    score |= {"pred_answer": "B", "answer": "A", "score": 0.0}
    line = {"doc_id": 0, "target": "A", "input": PROMPT, "filtered_resps": ["B. blue"], "doc_hash": "0"}
    results = {"config": {"model_args": "pretrained=x,max_frames_num=64"}, "model_name": "x"}
    found = read(of_task(tmp_path, line | {"videomme_perception_score": score}, results=results))
    (sample,) = found.samples
    assert (found.model, found.frames, found.scored, found.task) == ("x", 64, True, "videomme")
    assert (sample["id"], sample["video"], sample["kind"]) == ("001-1", "abc", "OCR Problems")
    assert (sample["options"], sample["answer"], sample["prediction"]) == (["red", "blue"], "red", "B. blue")
    assert not sample["correct"]
    assert sample["labels"]["duration"] == "short"


def test_targets_that_are_indices_and_metrics_that_are_plain(tmp_path):
    line = {"input": [PROMPT, {}], "filtered_resps": [["B"]], "resps": [[["B"]]], "exact_match": True}
    found = read(of_task(tmp_path, *({"doc_id": n, "target": str(n), **line} for n in range(2))))
    assert [sample["answer"] for sample in found.samples] == ["red", "blue"]
    assert [sample["video"] for sample in found.samples] == ["0", "1"]
    assert all(sample["correct"] for sample in found.samples)


def test_without_verdicts_it_says_so(tmp_path):
    line = {"doc_id": 0, "target": "a dog", "input": "What?", "filtered_resps": ["dog"]}
    assert not read(of_task(tmp_path, line)).scored


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([{"doc_id": 0, "target": "A"}], "line 1: must have the field input, got doc_id, target"),
        ([{"doc_id": 0, "target": "A", "input": []}], "line 1: input must be a prompt, got []"),
        (
            [{"doc_id": 0, "target": "A", "input": "?", "filtered_resps": ["A"]}] * 2,
            "line 2: doc_id must be another than in line 1, got 0",
        ),
        ([], "holds no predictions"),
        (
            [{"doc_id": 0, "target": "A", "input": "?", "intpv_score": {"sample": {"id": "0"}}}],
            "line 1: intpv_score must be as experiments.export writes it, got question 0 lacks video",
        ),
    ],
)
def test_bad_files(tmp_path, lines, line):
    with pytest.raises(BadInput) as refused:
        read(of_task(tmp_path, *lines))
    assert line in str(refused.value)


PLAIN = {"target": "A", "input": PROMPT, "filtered_resps": ["B"]}


@pytest.mark.parametrize(
    ("metrics", "correct"),
    [
        ({"gpt_eval_accuracy": {"pred": "x", "answer": "y", "Correctness": "no", "score": 1}}, False),  # 1 of 0 to 5
        ({"gpt_eval_accuracy": {"pred": "x", "answer": "y", "Correctness": "yes", "score": 4}}, True),
        ({"submission": {"uid": 1}, "score": {"pred": 1, "ground_truth": 1}}, True),  # EgoSchema
        ({"avg_accuracy": {"gt-answer": "x", "rating": 1}, "order_accuracy": {"rating": 1}}, True),  # TempCompass
        ({"lvb_acc": {"id": "q", "answer": "A", "parsed_pred": "B"}}, False),  # LongVideoBench
    ],
)
def test_verdicts_as_tasks_write_them(tmp_path, metrics, correct):
    found = read(of_task(tmp_path, {"doc_id": 0, **PLAIN, **metrics}))
    assert found.scored
    assert found.samples[0]["correct"] is correct


def test_a_task_whose_ids_repeat_is_told_apart_by_doc_id(tmp_path):
    score = {"question_id": "What is it?", "task_type": "count", "pred_answer": "B", "answer": "A"}  # as MLVU's
    found = read(of_task(tmp_path, *({"doc_id": n, **PLAIN, "mlvu": score} for n in range(2))))
    assert [(sample["id"], sample["video"]) for sample in found.samples] == [("0", "0"), ("1", "1")]


def test_an_empty_answer_is_an_answer_and_none_is_a_failure(tmp_path):
    lines = [{"doc_id": 0, **PLAIN, "filtered_resps": [""]}, {"doc_id": 1, "target": "A", "input": PROMPT}]
    empty, failed = read(of_task(tmp_path, *lines)).samples
    assert (empty["prediction"], empty["error"]) == ("", None)
    assert (failed["prediction"], failed["error"]) == (None, "no prediction in the file")
