"""Verbs: what can be run, with its first line, read without importing anything: --help must not wait for torch."""

import ast
from collections.abc import Mapping
from pathlib import Path


def first_lines(files: Mapping[str, Path]) -> dict[str, str]:
    """Name -> the first line of its module, without the command in it; only of modules that have a `main`."""
    trees = {name: ast.parse(files[name].read_text(encoding="utf-8")) for name in sorted(files)}
    runs = [name for name, tree in trees.items() if any(getattr(node, "name", "") == "main" for node in tree.body)]
    return {name: (ast.get_docstring(trees[name]) or name).splitlines()[0].split(": python")[0] for name in runs}
