"""The README is the map: what it names exists, and what exists is on it."""

import re
from importlib.util import find_spec

import pytest

from .readme_tree import BLOCK, README, ROOT, tree

README = README.read_text(encoding="utf-8")


def test_the_file_tree_is_the_files_with_their_own_first_lines():
    assert BLOCK.search(README)[0] == tree(), "python -m tests.readme_tree writes it anew"


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", README))))
def test_every_command_is_a_module(module):
    assert find_spec(module) is not None


@pytest.mark.parametrize("group", ["encoder", "rearranger", "rope_strategy", "kv_quant", "logger", "cache", "measure"])
def test_the_options_of_the_table_are_those_of_conf(group):
    row = re.search(rf"^\| `{group}` \| (.*) \|$", README, re.MULTILINE).group(1)
    named = set(re.findall(r"`(\w+)`", row)) - {"factor", "window", "axes", "decode"}
    assert named == {file.stem for file in (ROOT / "conf" / group).glob("*.yaml")}


def test_the_make_targets_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets
