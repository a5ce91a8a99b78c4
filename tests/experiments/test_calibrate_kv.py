"""The calibrate_kv verb: a file that evaluate quantises with, told apart by content; one line for what is wrong."""

import hashlib
import logging
import sys

import pytest
from safetensors import safe_open

from experiments import calibrate_kv
from intpv.flipbook.split import generator
from intpv.kv_quant.calibration import read

from ..tiny import PROMPT, tiny_model
from .cli import read as read_json

TEXT = len(tiny_model().tokenizer(PROMPT.before_video).input_ids)  # tokens before the video
STATIC = ("kv_quant=paper_channel", "rope_strategy=yarn", "frames=16")


@pytest.fixture(autouse=True)
def _loggers():
    """Hydra turns off all loggers of the process, and what it refuses to compose leaves them so."""
    yield
    for logger in logging.Logger.manager.loggerDict.values():
        logger.disabled = False


@pytest.fixture
def said(bench, monkeypatch, capsys):
    def run(*arguments: str) -> str:
        monkeypatch.chdir(bench.folder)
        given = [one for one in bench.arguments() if not one.startswith("data.limit")]
        monkeypatch.setattr(sys, "argv", ["calibrate_kv", *given, *arguments])
        calibrate_kv.main()
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_from_clips_to_a_file_to_a_cell(said, bench, evaluate):
    file = bench.folder / "ranges" / "ours.safetensors"
    out = said(*STATIC[1:], f"out={file}", "--videos", "3", "--bins", "16")
    assert out.splitlines()[1].split()[0] == "layer"
    assert "3 clips of flipbook (calibration, seed 0), model mini, 16 frames, strided, RoPE yarn at factor 2" in out
    with safe_open(file, "pt") as opened:
        assert opened.metadata()["format"] == "intpv-calibration-1"
    held, digest = read(str(file))
    assert held.shape == (3, 1, 32)
    assert held.statistics["values"].count == 3 * (TEXT + 16 * 5 - 4)  # sinks do not count
    assert {path.parent.name for path in bench.folder.glob("clips/*/*.mp4")} >= {f"{generator()}-stream3-seed0"}

    given = [*STATIC, f"kv_quant.calibration={file}", "sweep.name=static"]
    code, _ = evaluate(*given)
    assert code == 0
    (first,) = bench.cells("static").values()
    metrics = read_json(first, "metrics.json")
    assert 0 <= metrics["kv/clipped_fraction"] < 0.05
    assert 0.3 < metrics["kv/range_ratio"] < 1.2
    assert read_json(first, "environment.json")["calibration_sha256"] == digest
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()

    said(*STATIC[1:], f"out={file}", "--videos", "1", "--bins", "16")  # the same name, other content
    assert evaluate(*given)[0] == 0
    assert len(bench.cells("static")) == 2


def test_another_models_ranges_fail_the_cell_in_one_line(bench, evaluate):
    code, output = evaluate(*STATIC, "sweep.name=foreign")
    assert code == 1
    assert "kv_quant.calibration=embedded was calibrated on model mini (weights " in output
    assert "python -m experiments.calibrate_kv model=" in output


def test_what_no_cell_can_start_with_is_one_line(evaluate):
    for given, line in (
        ("kv_quant.calibration=null", "must be dynamic, embedded or a file, got null: `python -m"),
        ("kv_quant.calibration=nowhere", "kv_quant.calibration=nowhere: No such file or directory; `python -m"),
    ):
        code, output = evaluate(*STATIC, given, "sweep.name=refused")
        assert code != 0
        assert line in output.replace("\n", " ")
        assert "Traceback" not in output


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ([], "calibrate_kv: out must name the file to write, once: out=FILE, got none"),
        (["out=a", "out=b"], "calibrate_kv: out must name the file to write, once: out=FILE, got a, b"),
        (["out=a", "frame=8"], "calibrate_kv: there is no key frame: did you mean frames?"),
        (
            ["out=a", "--videos", "0"],
            "calibrate_kv: --videos must be a whole number of at least 1, got 0",
        ),
    ],
)
def test_a_bad_command_is_one_line_and_writes_nothing(said, bench, capsys, wrong, line):
    with pytest.raises(SystemExit) as ended:
        said(*wrong)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(line)
    assert not (bench.folder / "a").exists()
