"""Published results: each states its command, commit, clean tree, versions and device, and intervals have a width."""

import json
import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "analysis" / "results"
FILES = sorted(str(file.relative_to(RESULTS)) for file in RESULTS.rglob("*") if file.is_file())
HEAD = {
    "command": r"`python -m [\w.]+ .*`",
    "commit": r"[0-9a-f]{40}, clean",
    "device": r"(cpu|cuda), .+",
    "versions": r"python 3\.\d+\.\d+, torch \d.*, transformers \d.*",
}


def lacks(name: str) -> list[str]:
    """Which of the fields a file does not state as it must."""
    file = RESULTS / name
    if file.suffix == ".json":
        return in_json(json.loads(file.read_text(encoding="utf-8")).get("provenance", {}))
    if (table := file.parent / "table.md").exists() and file.suffix in (".png", ".csv"):  # the table beside it says it
        return lacks(str(table.relative_to(RESULTS)))
    if file.suffix == ".md":
        return in_markdown(file.read_text(encoding="utf-8"))
    return list(HEAD)


def in_json(found: dict) -> list[str]:
    packages = found.get("packages") or {}
    states = {
        "command": re.fullmatch(r"(python -m|intpv) .+", found.get("command", "")),
        "commit": re.fullmatch(r"[0-9a-f]{40}", found.get("commit") or "") and found.get("clean") is True,
        "device": found.get("device") and found.get("device_name"),
        "versions": found.get("python") and packages.get("torch") and packages.get("transformers"),
    }
    return [field for field, stated in states.items() if not stated]


def in_markdown(text: str) -> list[str]:
    said = dict(re.findall(r"^- (\w+): (.+)$", text.split("\n|")[0], re.MULTILINE))
    return [field for field, pattern in HEAD.items() if not re.fullmatch(pattern, said.get(field, ""))]


@pytest.mark.parametrize("name", FILES)
def test_every_result_states_where_it_comes_from(name):
    assert lacks(name) == []


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("table.md")])
def test_no_interval_is_without_width_or_beside_its_estimate(name):
    shown = re.findall(r"([-+]?[\d.]+) \[([-\d.]+), ([-\d.]+)\]", (RESULTS / name).read_text(encoding="utf-8"))
    assert shown
    for value, low, high in shown:
        assert float(low) < float(high)
        digits = len(low.partition(".")[2])
        assert float(low) <= round(float(value), digits) <= float(high)
