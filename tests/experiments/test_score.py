"""The score verb with other tools' files, as a user meets it."""

import json
import re
import sys
from pathlib import Path

import pytest

from experiments import export, score
from experiments.run.imported import FORMATS, write_cell
from intpv.exchange.imported import Imported, sample_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A sweep of two cells with open answers, one of them the same in both."""
    monkeypatch.chdir(tmp_path)
    for frames in (8, 16):
        lines = [
            sample_of(f"v{n}/0", f"v{n}", f"What is {n}?", f"a dog {frames * bool(n)}", answer="dog") for n in range(12)
        ]
        write_cell(Imported(lines, True, "mini", "mine", frames), lines, Path("runs/mine"))
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch, capsys):
    def call(*arguments, verb=score):
        monkeypatch.setattr(sys, "argv", ["score", *arguments])
        code = 0
        try:
            verb.main()
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def metrics(pattern):
    (file,) = Path("runs").glob(f"{pattern}/metrics.json")
    return json.loads(file.read_text())


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_exported_can_be_scored(run, format):
    options = [f"thing {place}" for place in range(5)]
    text = "What?\n" + "\n".join(f"{letter}. {one}" for letter, one in zip("ABCDE", options, strict=True))
    lines = [
        sample_of(
            f"v{n}/0",
            f"v{n}",
            text,
            "B" if n % 3 else "A man in red",
            answer="thing 1",
            options=options,
            correct=n % 3 > 0,
        )
        for n in range(12)
    ]
    cell = write_cell(Imported(lines, True, "mini", "mine", 8), lines, Path("runs/closed"))
    code, said = run(format, str(cell), "out", verb=export)
    assert code == 0, said
    file = Path(said.split("\n")[0])
    given = ["scorer=letters"]
    if format == "egoschema":  # without answers nothing is right; those of the public subset lie beside the file
        (file.parent / "subset_answers.json").write_text(json.dumps({line["id"]: 1 for line in lines}))
        given = []
    if format == "video_llava":  # has no options
        given = ["scorer=contains"]
    code, said = run("--from", format, str(file), *given)
    assert code == 0, said
    found = metrics(f"*@{given[0].removeprefix('scorer=') if given else format}/*")
    assert found["accuracy"] == (0 if format == "video_llava" else 8 / 12)
    assert found["questions"] == 12


def test_own_verdicts_are_kept_without_a_scorer_and_needed_without_one(run):
    line = {"doc_id": 0, "target": "dog", "input": "What?", "filtered_resps": ["a dog"]}
    Path("a_samples_t.jsonl").write_text(json.dumps(line) + "\n")
    code, said = run("--from", "lmms_eval", "a_samples_t.jsonl")
    assert code == 2
    assert said.startswith("score: a_samples_t.jsonl holds no verdicts of its own: scorer=..., one of contains, exact,")
    Path("a_samples_t.jsonl").write_text(json.dumps({**line, "exact_match": 1.0}) + "\n")
    assert run("--from", "lmms_eval", "a_samples_t.jsonl")[0] == 0
    assert metrics("a_samples_t@lmms_eval/*")["accuracy"] == 1
    assert run("--from", "lmms_eval", "nowhere.jsonl") == (2, "score: --from lmms_eval: nowhere.jsonl is no file\n")


def test_files_of_one_name_do_not_overwrite_each_other(run):
    for place, said in (("a/MSVD/mine", "a dog"), ("b/MSVD/mine", "a cat")):
        Path(place).mkdir(parents=True)
        line = {"id": "1", "question": "What?", "answer": "dog", "pred": said}
        Path(place, "merge.jsonl").write_text(json.dumps(line) + "\n")
    for _ in range(2):
        assert run("--from", "video_llava", "a/MSVD/mine/merge.jsonl", "scorer=contains")[0] == 0
    code, said = run("--from", "video_llava", "b/MSVD/mine/merge.jsonl", "scorer=contains")
    assert code == 2
    assert re.search(r"merge@contains/mine-MSVD-f0 is of .*a/MSVD/mine/merge.jsonl, must not be overwritten", said)
    assert metrics("merge@contains/*")["accuracy"] == 1


def test_cells_exported_to_one_folder_do_not_overwrite_each_other(run):
    files = []
    for frames in (8, 16):
        code, said = run("video_llava", f"runs/mine/mini-mine-f{frames}", "out", verb=export)
        assert code == 0, said
        files.append(Path(said.strip()).read_text())
    assert files[0] != files[1]
