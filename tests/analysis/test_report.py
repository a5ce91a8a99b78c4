"""The report: nothing of the data is obeyed, nothing is fetched, what failed is shown, a browser draws and filters."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from analysis.report import report
from analysis.report.report import write_report
from analysis.report.theme import CONTRAST, DARK, contrast, lightened
from analysis.style import STRATEGIES
from intpv.errors import BadInput

from ..browser import CHROMIUM, loaded

HOSTILE = "</script><script>window.owned=1</script><img src=x onerror=window.owned=2>"


class _Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_cell, answers):
    """Two strategies, a KV level and a failed cell, of a benchmark that calls everything by a script."""
    sweep = tmp_path_factory.mktemp("sweeps") / "named <script>window.owned=3<"
    lines = {}
    for place, (rope, frames, kv) in enumerate([("none", 8, "none"), ("none", 32, "none"), (HOSTILE[:60], 32, "none")]):
        lines[rope, frames, kv] = answers(0.6, seed=place, regimes=("slow", HOSTILE))
    lines["none", 32, "int2"] = answers(0.6, seed=1, regimes=("slow", HOSTILE))
    for (rope, frames, kv), own in lines.items():
        for line in own:
            line |= {"kind": f"{line['kind']} {HOSTILE}", "question": HOSTILE, "prediction": HOSTILE}
        folder = write_cell(sweep, rope.replace("/", "-"), frames, kv, own)
        assert folder.exists()
    write_cell(sweep, "yarn", 8, lines=ValueError(HOSTILE))
    return sweep


@pytest.fixture
def drawn(folder, tmp_path, monkeypatch):
    """The page without its library."""
    monkeypatch.setattr(report, "_library", lambda: "")
    monkeypatch.setattr(report, "_library_version", lambda: "Vega")
    return write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")


def test_nothing_of_the_data_becomes_markup_and_nothing_is_fetched(drawn):
    page = _Seen()
    page.feed(drawn)
    assert page.tags.count("script") == 3
    assert "img" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    links = [value for name, value in page.attributes if name in ("src", "href", "action")]
    assert links
    assert all(value.startswith(("#", "data:")) for value in links)
    assert HOSTILE in page.text  # the reason of the cell that failed, as it was
    data = re.search(r'<script type="application/json" id="panels">(.*?)</script>', drawn, re.DOTALL)[1]
    assert any(HOSTILE in row["kind"] for panel in json.loads(data) for row in panel["rows"] if "kind" in row)


def test_all_cells_are_listed_and_one_that_failed_is_in_no_figure(drawn):
    rows = re.findall(r"<tr data-rope=.*?</tr>", drawn, re.DOTALL)
    assert len(rows) == 5
    panels = json.loads(re.search(r'id="panels">(.*?)</script>', drawn, re.DOTALL)[1])
    assert {panel["group"] for panel in panels} == {"accuracy", "kinds", "kv"}
    assert all(row["status"] == "done" and row["rope"] != "yarn" for panel in panels for row in panel["rows"])
    ids = set(re.findall(r'<figure id="([^"]+)"', drawn))
    assert set(re.findall(r'href="#([^"]+)"', drawn)) <= ids == {panel["id"] for panel in panels}


def test_a_finding_has_its_interval_and_its_word(drawn):
    """Cells that are drawn with one probability differ by luck alone: no word may call that a gain or a loss."""
    findings = drawn[drawn.index("Findings") : drawn.index("<h2>Figures")]
    words = re.findall(r"</th><td>([^<]+)</td>", findings)
    assert words
    assert set(words) <= {"not told apart", "equivalent within 2 points", "not told apart, but no loss over 2 points"}
    assert all(
        re.match(r"[+-]\d+\.\d \[", text) for text in re.findall(r'</td><td class="number">([^<]+)</td>\n', findings)
    )


def test_a_sweep_without_a_baseline_says_so_in_place_of_findings(tmp_path, write_cell, answers, monkeypatch):
    monkeypatch.setattr(report, "_library", lambda: "")
    monkeypatch.setattr(report, "_library_version", lambda: "Vega")
    for frames in (16, 32):
        write_cell(tmp_path / "sweep", "ntk", frames, lines=answers(0.6, seed=frames))
    page = write_report([tmp_path / "sweep"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No cell is a baseline of the others" in page
    assert "Higher and lower" not in page


def test_without_the_library_the_command_that_installs_it_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(BadInput, match=r"pip install 'intpv\[report\]'"):
        write_report([folder], tmp_path / "report.html")


def test_an_unfinished_sweep_and_two_models_are_refused(tmp_path, write_cell, answers, monkeypatch):
    monkeypatch.setattr(report, "_library", lambda: "")
    write_cell(tmp_path / "failed", lines=ValueError("no"))
    with pytest.raises(BadInput, match="has no finished cell, got failed"):
        write_report([tmp_path / "failed"], tmp_path / "report.html")
    for rope, path in (("none", "one"), ("yarn", "other")):
        file = write_cell(tmp_path / "mixed", rope, lines=answers(videos=3)) / ".hydra" / "config.yaml"
        file.write_text(file.read_text().replace("_target_: model", f"_target_: model\n  path: weights/{path}"))
    with pytest.raises(BadInput, match=r"model\.path is weights/one in .* and weights/other in "):
        write_report([tmp_path / "mixed"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_strategy_stands_out_from_dark_paper(strategy):
    assert contrast(lightened(STRATEGIES[strategy].color), DARK) >= CONTRAST


PROBE = """<script>
const shown = () => [...document.querySelectorAll("#cells tbody tr")].filter((row) => !row.hidden);
const marks = () => document.querySelectorAll("figure:not(.empty) .plot .mark-symbol path").length;
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
const wait = () => new Promise((done) => setTimeout(done, 400));
(async () => {
  while (!document.documentElement.dataset.drawn) await wait();
  const said = { drawn: Number(document.documentElement.dataset.drawn), all: shown().length, marks: marks() };
  const form = document.getElementById("filters");
  form.elements.kv.value = "int2";
  form.elements.kv.dispatchEvent(new Event("input", { bubbles: true }));
  await wait();
  said.int2 = shown().map((row) => row.dataset.kv);
  said.fewer = marks();
  said.empty = [...document.querySelectorAll("figure.empty")].map((figure) => figure.id);
  form.reset();
  await wait();
  said.reset = shown().length;
  document.querySelector(".legend button[data-rope=yarn]").click();
  await wait();
  said.yarn = shown().map((row) => row.dataset.rope);
  form.reset();
  await wait();
  const heads = [...document.querySelectorAll("#cells th button")];
  heads.find((head) => head.textContent === "F").click();
  said.sorted = shown().map((row) => Number(row.dataset.frames));
  said.owned = window.owned || 0;
  said.images = document.querySelectorAll("img").length;
  said.errors = errors;
  const place = document.createElement("pre");
  place.id = "probe";
  place.textContent = JSON.stringify(said);
  document.body.append(place);
})();
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_draws_filters_and_sorts_and_obeys_no_text(folder, tmp_path):
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    page = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Content-Security-Policy" in page
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)  # escaping alone has to hold too
    (tmp_path / "probe.html").write_text(bare.replace("<main>", f"{PROBE}<main>"), encoding="utf-8")
    said = [loaded((tmp_path / name).as_uri(), tmp_path / name[:3]) for name in ("report.html", "probe.html")]
    for _, console in said:
        assert ":CONSOLE" not in console
    found = json.loads(unescape(re.search(r'<pre id="probe">(.*?)</pre>', said[1][0], re.DOTALL)[1]))
    assert (found["errors"], found["owned"], found["images"]) == ([], 0, 0)
    assert (found["drawn"], found["all"], found["reset"]) == (4, 5, 5)
    assert found["int2"] == ["int2"]
    assert 0 < found["fewer"] < found["marks"]
    assert found["empty"] == ["sweep-0-kinds"]
    assert found["yarn"] == ["yarn"]
    assert found["sorted"] == [8, 8, 32, 32, 32]
