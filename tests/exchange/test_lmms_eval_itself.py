"""lmms-eval's own code as judge: its baseline reads what we wrote, we read what its tracker wrote, its rule is ours."""

import importlib
import json
import random
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

import pytest

from intpv.exchange.lmms_eval import read, write
from intpv.scorer.lmms_eval import last_named

LETTERS = "ABCDE"
OPTIONS = ("a red ball", "blue", "a cat jumps", "nothing", "the man in red")
WORDS = ("The answer is", "SAME", "A man", "or", "not", "b", "(", ",", "!", "?", ":", "'", "\n", "I see", "Both")
PIECES = (*WORDS, *OPTIONS, *(form.format(letter) for letter in LETTERS for form in ("{}", "({})", "{}.")))
PIECES = (
    *PIECES,
    "The answer is",
    "SAME",
    "A man",
    "or",
    "not",
    "b",
    "(",
    ",",
    "!",
    "?",
    ":",
    "'",
    "\n",
    "I see",
    "Both",
)
# what its hub uploads, its videos and its open answers alone need
LEFT_OUT = ("datasets", "datasets.utils", "datasets.utils.metadata", "cv2", "nltk", "pywsd")


@pytest.fixture
def theirs(monkeypatch, tmp_path):
    """Imports a module of lmms-eval, past its list of all tasks."""
    package = pytest.importorskip("lmms_eval", reason="pip install --no-deps lmms-eval loguru pandas pytz")
    for name in (*LEFT_OUT, "lmms_eval.tasks"):
        monkeypatch.setitem(sys.modules, name, module_from_spec(ModuleSpec(name, None)))
    for name in ("Dataset", "load_dataset"):
        setattr(sys.modules["datasets"], name, None)
    sys.modules["datasets.utils.metadata"].MetadataConfigs = None
    sys.modules["lmms_eval.tasks"].__path__ = [str(Path(package.__file__).parent / "tasks")]
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    return lambda name: importlib.import_module(f"lmms_eval.{name}")


def predictions(count):
    """Made of what parsers trip over."""
    draw = random.Random(0)
    return [" ".join(draw.choices(PIECES, k=draw.randint(1, 8))) for _ in range(count)]


def test_the_parity_rule_reads_as_theirs(theirs, monkeypatch):
    rule = theirs("tasks.nextqa.utils").parse_multi_choice_response
    monkeypatch.setattr(random, "choice", lambda letters: None)  # where nothing is found, a letter is drawn
    texts = dict(zip(LETTERS, OPTIONS, strict=True))
    for prediction in predictions(3000):
        place = last_named(prediction, OPTIONS)
        assert rule(prediction, list(LETTERS), texts) == (None if place is None else LETTERS[place]), prediction


def test_its_baseline_reads_our_file_as_we_scored_it(theirs, lines, facts, tmp_path):
    samples, _ = write(lines(), facts, tmp_path)
    scores, results = theirs("baselines").load_baseline(str(samples), "my_task")
    assert scores == {number: float(line["correct"]) for number, line in enumerate(lines())}
    assert results["results"]["my_task"]["accuracy,none"] == sum(scores.values()) / len(scores)


DOC = {"domain": "Knowledge", "sub_category": "Law", "task_type": "Counting Problem", "duration": "short"}


def document(number):
    """With the fields of three of its tasks."""
    place = number % len(LETTERS)
    options = {f"a{index}": option for index, option in enumerate(OPTIONS)}
    named = {"question_id": f"q{number}", "videoID": f"v{number // 2}", "question": "What is it?"}
    return {**named, **DOC, **options, "candidates": list(OPTIONS), "place": place}


@pytest.mark.parametrize(
    ("task", "process", "answer"),
    [
        ("videomme", "videomme_process_results", LETTERS.__getitem__),
        ("mvbench", "mvbench_process_results", OPTIONS.__getitem__),
        ("nextqa", "nextqa_mc_process_results", int),
    ],
)
def test_what_its_tracker_wrote_is_read_as_it_was_scored(theirs, tmp_path, task, process, answer):
    utils, tracker = (
        theirs(f"tasks.{task}.utils"),
        theirs("loggers.evaluation_tracker").EvaluationTracker(str(tmp_path)),
    )
    score = getattr(utils, process)
    asked = "What is it?\n" + "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, OPTIONS, strict=True))
    written, right = [], []
    for number, prediction in enumerate(predictions(40)):
        doc = document(number)
        doc["answer"] = answer(doc.pop("place"))
        metrics = score(doc, [prediction])
        (value,) = metrics.values()
        right.append(bool(value["score"] if isinstance(value, dict) else value))
        line = {"doc_id": number, "doc": doc, "target": doc["answer"], "arguments": [asked, {}], "doc_hash": "0"}
        written.append(line | {"resps": [[prediction]], "filtered_resps": [prediction], **metrics})
    mean = sum(right) / len(right)
    tracker.general_config_tracker.log_experiment_args(
        "own", "pretrained=own/model_7b,max_frames_num=32", "", "", False
    )
    results = {"results": {task: {"alias": task, "accuracy,none": mean}}, "config": {"model_args": "max_frames_num=32"}}
    tracker.save_results_aggregated(results, {task: written}, "20261130_120000")
    tracker.save_results_samples(task, written)
    (file,) = tmp_path.rglob("*_samples_*.jsonl")
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == len(written)
    found = read(file)
    assert [sample["correct"] for sample in found.samples] == right
    assert [sample["prediction"] for sample in found.samples] == predictions(40)
    assert [sample["answer"] for sample in found.samples] == [OPTIONS[number % 5] for number in range(40)]
    assert (found.model, found.task, found.frames, found.scored) == ("own/model_7b", task, 32, True)
    assert found.stated == {"accuracy": mean}
