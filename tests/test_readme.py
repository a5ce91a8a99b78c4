"""The READMEs: what they name exists, what exists is on their maps, and the first one stays short."""

import re
import shlex
from importlib.util import find_spec

import pytest
from hydra import compose, initialize_config_dir

from experiments.bench.__main__ import benchmarks
from experiments.run.command import in_hydras_words
from experiments.run.names import register_resolvers
from experiments.run.verbs import first_lines
from intpv.options import CONF

from .readme_maps import ROOT, maps

README = (ROOT / "README.md").read_text(encoding="utf-8")
ALL = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in (ROOT / "README.md", *ROOT.glob("*/README.md"), *(ROOT / ".github").glob("*.md"))
}
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_maps_are_the_files_with_their_own_first_lines():
    for file, text in maps().items():
        assert file.read_text(encoding="utf-8") == text, f"{file}: python -m tests.readme_maps writes it anew"


def test_the_readme_is_short_and_every_block_is_closed():
    lines = README.splitlines()
    assert len(lines) <= 200
    assert [line for line in lines if len(line) > 120] == []
    for name, text in ALL.items():
        assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(FENCED.findall(text)), name


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_a_module_and_every_link_a_file(name):
    for module in set(re.findall(r"python -m ([\w.]+)", ALL[name])):
        assert find_spec(module) is not None, module
    for bench in set(re.findall(r"experiments\.bench (\w+)", ALL[name])):
        assert bench in first_lines(benchmarks())
    folder = (ROOT / name).parent
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", ALL[name]):
        assert (folder / link).exists(), link
    for path in re.findall(r"`((?:intpv|experiments|analysis|conf|tests)/[\w/.]+\.\w+)`", ALL[name]):
        assert (ROOT / path).exists() or "mine" in path or path == "conf/local/default.yaml", path  # the user's own


@pytest.mark.slow
def test_every_command_of_evaluate_is_composed():
    """By Hydra, as the verb does it; the folders that a user names need not exist for that."""
    register_resolvers()
    blocks = [block.replace("\\\n", "") for text in ALL.values() for block in FENCED.findall(text)]
    commands = [line.split("  #")[0] for block in blocks for line in block.splitlines()]
    evaluated = [line for line in commands if line.startswith("python -m experiments.evaluate") and "..." not in line]
    assert len(evaluated) > 10
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for line in evaluated:
            given = in_hydras_words([one for one in shlex.split(line)[3:] if one != "-m" and "mine" not in one])
            compose("config", [re.sub(r"=([^,\[]+),.*", r"=\1", one) for one in given])  # the first of what is swept


@pytest.mark.parametrize(
    "group",
    [
        "encoder",
        "rearranger",
        "rope_strategy",
        "budget",
        "kv_quant",
        "kv_evict",
        "logger",
        "cache",
        "measure",
        "data",
        "scorer",
    ],
)
def test_the_options_of_the_table_are_those_of_conf(group):
    row = " ".join(re.findall(rf"^\|`{group}`[\w, ]*\|(.*)\|$", README, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", row)) == {file.stem for file in (ROOT / "conf" / group).glob("*.yaml")}


def test_the_make_targets_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets
