"""The ask verb: any file, several questions, plain data or text, and one line for what is no video."""

import json
import shutil
import sys

import pytest
from PIL import Image

from experiments import ask
from intpv.data.flipbook import Flipbook
from intpv.shipped import EMBEDDED

QUESTIONS = ["Did red flash?", "How many flashes were there?"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return Flipbook(root=str(tmp_path_factory.mktemp("clips")), limit=1).items()[0].path


@pytest.fixture
def said(monkeypatch, capsys):
    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ask", *arguments])
        ask.main()
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_answers_come_with_all_that_shaped_them(said, clip, tmp_path):
    picture = tmp_path / "seen.png"
    options = ["-o", "frames=16", "-o", "rope_strategy=yarn", "-o", "kv_quant=int8", "--json", "--show", str(picture)]
    report = json.loads(said(clip, *QUESTIONS, *options))
    assert [one["question"] for one in report["answers"]] == QUESTIONS
    assert all(one["answer"] and 0 < one["confidence"] <= 1 for one in report["answers"])
    assert report["rope"] == {"strategy": "yarn", "factor": 2.0}
    assert report["frames"]["indices"] == list(range(8, 256, 16))
    assert report["kv"]["bytes"] < 0.4 * report["kv"]["full_precision_bytes"]
    assert Image.open(picture).size == (8 * 164 - 4, 2 * 164 - 4)


def test_the_text_says_what_the_model_is_not_for(said, clip):
    text = said(clip, *QUESTIONS)
    assert "8 frames of" in text
    assert "mean nothing" in text


@pytest.mark.slow
def test_what_the_checkpoint_asks_for_and_does_not_get_is_said(said, clip, tmp_path):
    shutil.copytree(EMBEDDED, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"do_sample": True, "repetition_penalty": 1.1}))
    text = said(clip, *QUESTIONS, "-o", f"model.path={tmp_path}")
    assert "the checkpoint asks for do_sample=True, repetition_penalty=1.1: not followed, answers are greedy" in text
    assert "not followed" not in said(clip, *QUESTIONS)


def test_what_is_no_video_is_one_line(said, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        said(str(tmp_path / "missing.mp4"), *QUESTIONS)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"ask: {tmp_path}/missing.mp4: no such file\n"


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("frame=8", "ask: there is no key frame: did you mean frames?"),
        ("kv_quant=int5", "ask: kv_quant=int5 is no option: did you mean int"),
        ("frames=8x", "ask: frames must be a whole number of at least 1, got 8x"),
        ("frames=9", "ask: frames must be a multiple of 8, the tower's group length, got 9: use 8 or 16"),
    ],
)
def test_a_bad_override_is_one_line(said, clip, capsys, override, line):
    with pytest.raises(SystemExit):
        said(clip, *QUESTIONS, "-o", override)
    assert capsys.readouterr().err.startswith(line)


def test_a_question_that_is_too_long_costs_itself(said, clip, monkeypatch, capsys):
    """The code is 1, the other's answer as it is alone; where none can be asked, one line and 2."""
    (alone,) = json.loads(said(clip, QUESTIONS[0], "--json"))["answers"]
    with pytest.raises(SystemExit) as ended:
        said(clip, "red " * 500 + "\x1b[2J", QUESTIONS[0], "--json")
    assert ended.value.code == 1
    wrong, right = json.loads(capsys.readouterr().out)["answers"]
    assert "a question may have" in wrong["error"]
    assert right == alone
    with pytest.raises(SystemExit) as ended:
        said(clip, "red " * 500)
    assert ended.value.code == 2
    assert "a question may have" in capsys.readouterr().err


def test_the_terminal_obeys_no_question(said, clip):
    shown = said(clip, "Did red\x1b[2J\x9b31m flash?")
    assert shown.replace("\n", "").isprintable()
    assert "Did red\\x1b[2J\\x9b31m flash?" in shown
