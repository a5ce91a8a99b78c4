"""The ask verb: any file, several questions, plain data or text, and one line for what is no video."""

import json
import sys

import pytest
from PIL import Image

from experiments import ask
from intpv.data.flipbook import Flipbook

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


def test_answers_come_with_all_that_shaped_them(said, clip, tmp_path):
    picture = tmp_path / "seen.png"
    options = ["-o", "frames=16", "-o", "rope_strategy=yarn", "-o", "kv_quant=int8", "--json", "--show", str(picture)]
    report = json.loads(said(clip, *QUESTIONS, *options))
    assert [one["question"] for one in report["answers"]] == QUESTIONS
    assert all(one["answer"] and 0 < one["confidence"] <= 1 for one in report["answers"])
    assert report["rope"] == {"strategy": "yarn", "factor": 2.0}
    assert report["frames"]["indices"] == list(range(8, 256, 16))
    assert report["kv"]["bytes"] < 0.4 * report["kv"]["full_precision_bytes"]
    assert Image.open(picture).size == (8 * 96, 2 * 96)


def test_the_text_says_what_the_model_is_not_for(said, clip):
    text = said(clip, *QUESTIONS)
    assert "8 frames of" in text
    assert "mean nothing" in text


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
