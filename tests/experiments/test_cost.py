"""The cost verb: tables that fit the page, the same as JSON, one line for what is wrong, nothing dear to import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import cost
from intpv.cost.table import BOUNDED, SHEETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def said(monkeypatch, capsys):
    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["cost", *arguments])
        cost.main()
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("frames", ["8,16,32,64,128", "8,1024"])
def test_the_tables_fit_a_hundred_columns_and_lose_no_digit(said, frames):
    text = said(f"frames={frames}")
    assert max(map(len, text.splitlines())) <= 100
    for title in SHEETS:
        lines = text[text.index(title) :].splitlines()[3:]
        rows = [line.split() for line in lines[: len(frames.split(","))]]
        assert [row[0] for row in rows] == frames.split(",")
        assert len({len(row) for row in rows}) == 1


def test_bounds_add_a_table_that_fits(said):
    text = said("frames=8,2048", "keep=0.25", "kv_tokens=2056", "prefill_tokens=2056", "early=true", "tower_frames=16")
    assert max(map(len, text.splitlines())) <= 100
    (title,) = BOUNDED
    row = text[text.index(title) :].splitlines()
    assert any(line.split()[:3] == ["2048", "131584", "2056"] for line in row)


def test_json_is_the_tables_as_numbers(said):
    report = json.loads(said("layers=2", "frames=16", "kv_heads=4", "--json"))
    assert (report["shape"]["layers"], report["shape"]["kv_heads"]) == (2, 4)
    [row] = report["as_in_the_paper"]
    assert row["kv"]["FP16"] == 2 * 2 * 4 * 128 * 16 * 256 * 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["frames=9"], "frames must be a multiple of 8, the tower's group length, got 9"),
        (["frames=8,x"], "frames must be a whole number of at least 1, got x"),
        (["frames="], "frames= cannot be read: write key=value"),
        (["shape=llama"], "shape must be one of video_llava_7b, got llama"),
        (["keep=2"], "keep must be above 0 and at most 1, a share of the video's tokens, got 2"),
        (["layer=2"], "there is no key layer: did you mean layers?"),
        (["kv_heads=5"], "heads must be a multiple of kv_heads=5, got 32"),
    ],
)
def test_what_is_wrong_is_one_line(said, capsys, arguments, line):
    with pytest.raises(SystemExit) as ended:
        said(*arguments)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"cost: {line}\n")


def test_a_mistyped_command_does_not_wait_for_torch():
    code = (
        "import sys; from experiments import cost; sys.argv = ['cost', '--frames', '9']\n"
        "try: cost.main()\n"
        "except SystemExit: sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
