"""A spoilt file: the cell is not done, the file is named in one line, and what was answered is kept."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.record import damaged
from intpv.record.composed import read_composed
from intpv.record.damaged import Damaged
from intpv.record.run_folder import RunFolder
from intpv.record.samples import VideoFigures

from .spoilt import WAYS, obey_modes

FILES = ("status.json", "samples.jsonl", "videos.jsonl", "metrics.json", "environment.json")
EXPECTED = {video: [f"{video}/{i}" for i in range(3)] for video in "ab"}
METRICS = {"accuracy": 0.5, "questions": 6}


def run(folder: RunFolder, lines) -> set[str]:
    """What a cell does: asks what is not answered; returns that."""
    asked = set(EXPECTED) - folder.open(EXPECTED, {"schema": 1})
    for video in sorted(asked):
        VideoFigures(folder.path).append(video, {"time/ask_s": 1.0})
        folder.append(lines(video))
    folder.finish(METRICS)
    return asked


@pytest.fixture
def done(tmp_path, lines):
    folder = RunFolder(tmp_path / "sweep" / "cell")
    assert run(folder, lines) == {"a", "b"}
    assert folder.state().status == "done"
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_whatever_is_spoilt_the_cell_is_run_to_its_end_again(done, lines, name, way, monkeypatch, caplog):
    obey_modes(monkeypatch)
    file, whole = done.path / name, (done.path / "samples.jsonl").read_bytes()
    WAYS[way](file)
    if (name, way) == ("environment.json", "another schema"):  # any object is one
        assert done.state().status == "done"
        return
    state = done.state()
    assert state.status == "damaged"
    assert state.reason.startswith(f"{file} ")
    assert "\n" not in state.reason
    asked = run(RunFolder(file.parent), lines)
    assert asked <= {"a", "b"}
    assert name in ("samples.jsonl", "videos.jsonl") or not asked  # answers do not depend on the others
    assert f"{state.reason}: the cell is run again" in caplog.messages
    assert RunFolder(file.parent).state().status == "done"
    assert (file.parent / "samples.jsonl").read_bytes() == whole
    assert len(VideoFigures(file.parent).read()) == 2
    if way in ("folder", "unreadable"):  # whatever it was, somebody may want it back
        assert file.with_name(f"{name}.damaged").exists()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_so_is_one_that_had_only_begun(tmp_path, lines, name, way, monkeypatch):
    folder = RunFolder(tmp_path / "cell")
    folder.open(EXPECTED, {"schema": 1})
    VideoFigures(folder.path).append("a", {"time/ask_s": 1.0})
    folder.append(lines("a"))
    (folder.path / "metrics.json").write_text("{}")
    obey_modes(monkeypatch)
    WAYS[way](folder.path / name)
    run(RunFolder(folder.path), lines)
    assert RunFolder(folder.path).state().status == "done"
    assert len(folder.samples()) == 6


def test_done_is_believed_only_if_every_line_is_there_and_there_once(done):
    file = done.path / "samples.jsonl"
    whole = file.read_bytes()
    first, *rest = whole.splitlines(keepends=True)
    for content, said in {
        b"".join(rest): "holds 5 of 6 questions on 5 lines",
        whole[:-1]: None,  # the line is whole without its end
        whole[:-9]: "holds 5 of 6 questions on 5 lines",
        whole + whole: "holds 6 of 6 questions on 12 lines",
        first.replace(b"rot", b"gelb") + b"".join(rest): None,  # somebody corrected it
        b"{}\n" + b"".join(rest): "holds 5 of 6",
    }.items():
        file.write_bytes(content)
        state = done.state()
        assert state.status == ("damaged" if said else "done")
        assert (said or "") in state.reason


def test_a_cell_of_an_older_version_is_judged_by_its_metrics(done):
    status = json.loads((done.path / "status.json").read_text())
    old = {key: status[key] for key in ("status", "time", "error")}
    (done.path / "status.json").write_text(json.dumps(old))
    assert done.state().status == "done"
    file = done.path / "samples.jsonl"
    file.write_bytes(file.read_bytes() * 2)  # as two runs of one cell at once left it
    assert "holds 6 of 6 questions on 12 lines" in done.state().reason


def test_metrics_without_an_accuracy_are_those_of_something_else(done):
    (done.path / "metrics.json").write_text('{"loss": 0.5}')
    assert done.state().reason == f"{done.path / 'metrics.json'} does not hold an accuracy"


def test_answers_without_figures_are_asked_again_where_a_power_cut_took_them(done, lines, caplog):
    (done.path / "status.json").write_text('{"status": "running", "time": "", "error": null}')
    file = done.path / "videos.jsonl"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    assert RunFolder(done.path).open(EXPECTED) == {"a"}
    assert f"{file} lacks 1 answered videos: they are asked again" in caplog.messages


class TestHydra:
    """.hydra/ is part of the run folder."""

    @pytest.fixture
    def hydra(self, done):
        folder = done.path / ".hydra"
        folder.mkdir()
        (folder / "config.yaml").write_text("seed: 0\nvideo:\n  order: ordered\nframes: 8\n")
        (folder / "hydra.yaml").write_text("hydra:\n  runtime:\n    choices:\n      model: mini\n")
        (folder / "overrides.yaml").write_text("- frames=8\n")
        assert read_composed(done.path).overrides == ["frames=8"]
        return folder

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("name", ["config.yaml", "hydra.yaml", "overrides.yaml"])
    def test_a_done_cell_needs_it(self, done, hydra, name, way, monkeypatch):
        assert done.state().status == "done"
        obey_modes(monkeypatch)
        if (name, way) == ("overrides.yaml", "truncated"):
            return  # `- fram` is a list of overrides, too
        WAYS[way](hydra / name)
        with pytest.raises(Damaged, match=name):
            read_composed(done.path)
        assert done.state().reason.startswith(f"{hydra / name} ")


WORDS = st.text() | st.sampled_from(["yes", "null", "1e3", "8", "- a", "a: b", "a\n\nb: c\n", "#", "${a}", "  a", "|"])
SCALARS = WORDS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
FORMS = [
    *("a: &x {b: 1}\nc: *x\n", "a: &x\n  b: 1\nc:\n  <<: *x\n", "? a\n: b\n", "a:\n- b\n- c: d\n"),
    *("a:\n  # b\nb: 1\n", "a: |\n  b: 1\n   c\n\n  d\ne: f\n", "a:\n  b:\n    c: >\n      d\n      e\n"),
    *("yes:\n  no: 1\n", "a: [b,\nc: d]\n", "a: 'b\nc: d'\n", "a:\n  b\n  c\n", "a: 1\na: 2\n", "# a\nb: 1\n"),
    *("a:\n    b: 1\n    c: 2\n", "a:\r\n  b: 1\r\nc: 2\r\n", "a: 1\n---\nb: 2\n", "a: 1\nb", "a: {b"),
    *("a:\n  b: 1\n c: 2\n", "a: *x\n", "\ufeffa: 1\nb: 2\n", "a.b: 1\nc-d:\n  e: 2\n", "- a\n", "a\n"),
]


@pytest.fixture(scope="module", autouse=True)
def _short():
    """Blocks of every length are taken apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(damaged, "LONG", 0)
        damaged._block.cache_clear()
        yield
    damaged._block.cache_clear()


@given(st.dictionaries(WORDS, VALUES, max_size=5), st.sampled_from([2, 4]), st.booleans() | st.none(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_yaml_by_parts_is_what_the_whole_is(content, indent, flow, wide):
    text = yaml.safe_dump(content, indent=indent, default_flow_style=flow, width=10**6 if wide else 10)
    assert repr(damaged.parse_yaml(text.encode())) == repr(yaml.safe_load(text))


@pytest.mark.parametrize("text", FORMS)
def test_yaml_of_every_form_is_what_the_whole_is(text):
    """Errors too."""

    def read(parse):
        try:
            return repr(parse(text.encode()))
        except yaml.YAMLError:
            return "no YAML"

    assert read(damaged.parse_yaml) == read(yaml.safe_load)
