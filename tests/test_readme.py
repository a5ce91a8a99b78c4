"""The README is the map: what it names exists, and what exists is on it."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TREE = re.search(r"## Where things are\n+```\n(.*?)```", README, re.DOTALL).group(1)


def test_every_folder_and_file_of_the_tree_exists():
    folder = ""
    for line in TREE.splitlines():
        top = re.match(r"(\w+)/ ", line)
        folder = top.group(1) if top else folder
        for name in re.findall(r"(?<![\w/.])([\w/]+(?:/|\.py|\.yaml))(?=\s)", line):
            assert (ROOT / name).exists() or any((ROOT / folder).rglob(name.rstrip("/"))), f"{folder}: {name}"


def test_every_package_is_on_the_map():
    inside = {init.parent.relative_to(ROOT / "intpv").parts[0] for init in (ROOT / "intpv").glob("*/__init__.py")}
    assert inside <= set(re.findall(r"(\w+)/ ", TREE))


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", README))))
def test_every_command_is_a_module(module):
    assert find_spec(module) is not None


@pytest.mark.parametrize("group", ["encoder", "rearranger", "rope_strategy", "kv_quant"])
def test_the_options_of_the_table_are_those_of_conf(group):
    row = re.search(rf"^\| `{group}` \| (.*) \|$", README, re.MULTILINE).group(1)
    named = set(re.findall(r"`(\w+)`", row)) - {"factor", "window"}
    assert named == {file.stem for file in (ROOT / "conf" / group).glob("*.yaml")}


def test_the_make_targets_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets
