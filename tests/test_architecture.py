"""Ratchets: what keeps the house in order. Each of these was broken once to see it fail."""

import ast
import functools
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# from the top: a package imports from its own floor and from those below
FLOORS = (
    "experiments",
    "analysis",
    "inference",
    "laws",
    "check cost attention_kl",
    "video_llm data exchange",
    "hf flipbook",
    "model attention",
    "video preprocess encoder rearranger rope_strategy kv_quant kv_evict budget cache logger metrics options",
    "record scorer layout timing errors bounds escape regular_file shipped gpu_nodes compiler",
)
FLOOR = {name: -height for height, names in enumerate(FLOORS) for name in names.split()}
LONGEST = 300  # lines of a file
# functions and classes of one name in several files; a family's members may share theirs
FAMILY = {"main", "load", "check", "checks", "read", "encode", "decode"}
# may only get fewer
SHARED_NAMES = set(
    [
        "Asked",
        "Block",
        "Options",
        "Question",
        "Run",
        "Shape",
        "Side",
        "Stretch",
        "Subject",
        "Tally",
        "Watched",
        "attended",
        "calibrate",
        "cause",
        "chosen",
        "count",
        "counts",
        "draw",
        "faster",
        "grouped",
        "layout_of",
        "measured",
        "merge",
        "motion",
        "options_of",
        "order",
        "pack",
        "presence",
        "ratios",
        "rows",
        "run",
        "save",
        "scores",
        "shown",
        "spread",
        "tables",
        "timed",
        "unloaded",
        "unpack",
        "weights",
        "when",
        "when_changed",
        "words",
        "write",
    ]
)


def places() -> dict[str, Path]:
    """Module -> file."""
    found = {}
    for top in ("intpv", "experiments", "analysis"):
        for file in (ROOT / top).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@functools.cache
def files() -> dict[str, tuple[Path, ast.Module]]:
    """Module -> (file, tree)."""
    return {name: (file, ast.parse(file.read_text(encoding="utf-8"))) for name, file in places().items()}


@functools.cache
def imports() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports, wherever in the file."""
    found = defaultdict(set)
    for name, (file, tree) in files().items():
        if name == "intpv":  # the face hands on from every floor
            continue
        package = file.relative_to(ROOT).parent.parts
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else ()
                module = ".".join([*base, *([node.module] if node.module else [])])
                imported = (f"{module}.{one.name}" for one in node.names)
                found[name] |= {one if one in files() else module for one in imported} & files().keys()
            elif isinstance(node, ast.Import):
                found[name] |= {one.name for one in node.names} & files().keys()
    return found


def floor(module: str) -> int:
    parts = module.split(".")
    return FLOOR[parts[1] if parts[0] == "intpv" and len(parts) > 1 else parts[0]]


def test_no_import_goes_up():
    assert {
        (importer, imported)
        for importer, targets in imports().items()
        for imported in targets
        if imported != "intpv" and floor(imported) > floor(importer)
    } == set()


def test_no_import_goes_in_a_circle():
    left = {name: set(targets) - {"intpv"} for name, targets in imports().items()}
    while free := {name for name in left if not left[name] & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in free}
    assert left == {}


def test_public_names_are_defined_once():
    homes = defaultdict(set)
    for module, (_, tree) in files().items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(module)
    shared = {name for name, modules in homes.items() if len(modules) > 1} - FAMILY
    assert shared <= SHARED_NAMES, f"defined in several files: {sorted(shared - SHARED_NAMES)}"
    assert shared >= SHARED_NAMES, f"no longer shared, take off the list: {sorted(SHARED_NAMES - shared)}"


@pytest.mark.parametrize("module", sorted(places()))  # parsed where it is tested, not in every process
def test_a_file_is_not_too_long_and_says_what_it_is(module):
    file, tree = files()[module]
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST
    first = (ast.get_docstring(tree) or "").partition("\n")[0]
    assert first
    assert first[-1] in ".:?" or " python -m " in first


def test_public_functions_have_docstrings():
    missing = {
        f"{module}.{node.name}"
        for module, (_, tree) in files().items()
        if module.startswith("intpv")
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    }
    assert missing == set()


def test_every_verb_runs_when_it_is_called():
    """A file whose `main` nobody calls does nothing, and says that all went well."""
    for name, (file, tree) in files().items():
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            guarded = [node for node in tree.body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
            assert guarded or file.stem == "__main__" or "bench" in name, f"python -m {name} does nothing"
