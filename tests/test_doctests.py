"""Examples in docstrings: options of four groups show one, and pytest runs all that are written."""

import ast
import doctest
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
OPTIONS = [
    path
    for group in ("rope_strategy", "rearranger", "budget", "kv_evict")
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
]
FILES = [path for path in sorted((ROOT / "intpv").rglob("*.py")) if ">>> " in path.read_text()]


def written(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str) -> Iterator[str]:
    """Names of whatever has an example in its docstring."""
    if doctest.DocTestParser().get_examples(ast.get_docstring(node) or ""):
        yield name
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from written(child, f"{name}.{child.name}")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_every_option_shows_an_example_of_its_class(option):
    shown = get_class(OmegaConf.load(option)._target_)
    examples = doctest.DocTestParser().get_examples(shown.__doc__ or "")
    assert any(f"{shown.__name__}(" in example.source for example in examples)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_is_run(path, pytestconfig):
    """The type checker wraps functions: one that is no longer known as its module's own would be left out silently."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    found = [test.name for test in doctest.DocTestFinder().find(import_module(module)) if test.examples]
    assert sorted(found) == sorted(written(ast.parse(path.read_text()), module))
    assert pytestconfig.getoption("doctestmodules")
    assert any(path.is_relative_to(ROOT / folder) for folder in pytestconfig.getini("testpaths"))
