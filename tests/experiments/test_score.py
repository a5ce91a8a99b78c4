"""The score verb with a judge and with other tools' files, as a user meets it."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from analysis.judges import compare_judges
from experiments import export, score
from experiments.run import ask_judge
from experiments.run.imported import write_cell
from intpv.exchange.imported import FORMATS, Imported, sample_of

from ..scorer.judge_server import KEY, YES, at_once, serving

CONF = Path(__file__).parents[2] / "conf"
NO = "{'pred': 'no', 'score': 1}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A sweep of two cells with open answers, one of them the same in both."""
    at_once(monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    for frames in (8, 16):
        lines = [
            sample_of(f"v{n}/0", f"v{n}", f"What is {n}?", f"a dog {frames * bool(n)}", answer="dog") for n in range(12)
        ]
        write_cell(Imported(lines, True, "mini", "mine", frames), lines, Path("runs/mine"))
    return tmp_path


@pytest.fixture
def judge(folder):
    yield from serving()


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
        assert KEY not in said.out + said.err
        return code, said.out + said.err

    return call


def words(server, *more, model="judge-2026-01-01"):
    return [
        "runs/mine",
        "scorer=llm_judge",
        f"scorer.model={model}",
        f"scorer.url={server.url}",
        "scorer.dir=kept",
        *more,
    ]


def metrics(pattern):
    (file,) = Path("runs").glob(f"{pattern}/metrics.json")
    return json.loads(file.read_text())


def test_the_command_in_the_head_judges_and_nothing_is_asked_twice(judge, run):
    server = judge(lambda prompt, times: YES if "dog 8" in prompt else NO if "dog 16" in prompt else "hmm")
    text = (CONF / "scorer" / "llm_judge.yaml").read_text()
    command = re.search(r"^# python -m experiments\.score (.*)$", text, re.MULTILINE)[1]
    command = command.replace("http://localhost:8000/v1", server.url).replace("NAME", "judge-2026-01-01")
    code, said = run(*shlex.split(command), "scorer.dir=kept", "--dry-run")
    assert (code, len(server.bodies)) == (0, 0)
    assert "judge judge-2026-01-01: 23 different answers, 23 to ask: about " in said
    code, said = run(*words(server))
    assert code == 0, said
    assert len(server.bodies) == 23  # the answer that both cells gave is judged once
    assert "23 asked, 23 answered, 1 say neither yes nor no" in said
    eight, sixteen = (metrics(f"mine@llm_judge-*/mini-mine-f{frames}") for frames in (8, 16))
    assert (eight["accuracy"], sixteen["accuracy"]) == (11 / 12, 0)
    assert eight["judge/accuracy_parsed"] == 1
    assert eight["judge/unparsed"] == sixteen["judge/unparsed"] == 1 / 12
    assert sixteen["judge/score"] == 1
    table = next(Path("runs").glob("mine@llm_judge-*/table.md")).read_text()
    assert "judge judge-2026-01-01 at 127.0.0.1" in table
    assert "neither yes nor no" in table
    code, said = run(*words(server))
    assert (code, len(server.bodies)) == (0, 23)
    assert "23 of them judged before, 0 to ask" in said


def test_what_fails_leaves_its_cell_out_and_the_same_command_goes_on(judge, run):
    down = [True]
    server = judge(
        lambda prompt, times: (500, {}, b"") if "dog 16" in prompt and "What is 3" in prompt and down[0] else YES
    )
    code, said = run(*words(server, "scorer.retries=1"))
    assert code == 1
    assert "left out: mini-mine-f16 waits for 1 verdicts" in said
    assert "500 met 2 times" in said
    assert [file.parent.name for file in Path("runs").glob("mine@llm*/*/metrics.json")] == ["mini-mine-f8"]
    down[0] = False
    code, said = run(*words(server, "scorer.retries=1"))
    assert (code, len(server.bodies)) == (0, 22 + 2 + 1)
    assert metrics("mine@llm*/mini-mine-f16")["accuracy"] == 1


def test_a_refused_key_is_one_line_with_what_is_kept(judge, run):
    server = judge(lambda prompt, times: YES if len(server.bodies) <= 5 else (401, {}, f"no {KEY}".encode()))
    code, said = run(*words(server, "scorer.concurrent=1"))
    assert code == 2
    last = said.strip().split("\n")[-1]
    assert last.startswith("score: judge judge-2026-01-01 at 127.0.0.1:")
    assert "OPENAI_API_KEY is refused (401: no ***); 5 replies are kept in kept/" in last
    assert not list(Path("runs").glob("mine@*"))


def test_two_judges_are_compared_and_people_correct_one(judge, run):
    server = judge(lambda prompt, times: NO if "What is 1" in prompt else YES)
    lenient = judge(lambda prompt, times: YES)
    labels = [{"id": f"v{n}/0", "prediction": "a dog 8", "correct": n % 2} for n in range(1, 9)]
    Path("labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in labels))
    assert run(*words(server))[0] == 0
    assert run(*words(lenient, "scorer.labels=labels.jsonl", model="lenient-2026-01-01"))[0] == 0
    folders = [next(Path("runs").glob(f"mine@llm_judge-{name}-*")) for name in ("judge", "lenient")]
    compared = compare_judges(*folders)
    assert "first: llm_judge-judge-2026-01-01" in compared
    assert "| mini-mine-f8 | 12 | 75.0 |" in compared
    assert compared.count(" 100.0 |") == 2
    found = metrics("mine@llm_judge-lenient-*/mini-mine-f8")
    assert found["judge/human"] == 8
    assert found["judge/corrected_accuracy"] == 0.5
    assert "judge/human" not in metrics("mine@llm_judge-lenient-*/mini-mine-f16")


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


def test_a_run_cannot_wait_for_a_judge(run):
    from experiments import evaluate

    code, said = run("scorer=llm_judge", verb=evaluate)
    assert code == 2
    assert "scorer=llm_judge judges saved predictions alone: run with scorer=exact, then python -m" in said


def test_refusals_are_counted_and_not_asked_again(judge, run):
    server = judge(lambda prompt, times: (400, {}, b"filtered") if "What is 3" in prompt else YES)
    assert run(*words(server))[0] == 0
    asked = len(server.bodies)
    code, said = run(*words(server))
    assert (code, len(server.bodies)) == (0, asked)
    assert "23 of them judged before (2 refused), 0 to ask" in said
    assert metrics("mine@llm*/mini-mine-f16")["judge/unparsed"] == 1 / 12


def test_a_judge_that_only_thinks_is_not_paid_for_all(judge, run, monkeypatch):
    monkeypatch.setattr(ask_judge, "MUTE", 3)
    server = judge(lambda prompt, times: "<think>The question is")
    code, said = run(*words(server, "scorer.concurrent=1"))
    assert (code, len(server.bodies)) == (2, 3)
    assert "the first 3 replies say neither yes nor no, as <think>The question is: see scorer.max_tokens" in said


def test_labels_of_other_predictions_are_refused_before_anything_is_asked(judge, run):
    server = judge(lambda prompt, times: YES)
    Path("labels.csv").write_text("id,prediction,correct\nv0/0,a cat,yes\n")
    code, said = run(*words(server, "scorer.labels=labels.csv"))
    assert (code, server.bodies) == (2, [])
    assert "scorer.labels: none of the 1 in labels.csv is of a prediction here" in said


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
