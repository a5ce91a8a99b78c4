"""Sibling: analysis/, which lies beside this package in the clone and, in the wheel, inside intpv as this one does."""

from importlib import import_module
from types import ModuleType


def analysis(module: str) -> ModuleType:
    """analysis.<module>, imported under the one name it has here: under another it would be loaded twice."""
    return import_module(f"{__package__.removesuffix('experiments.run')}analysis.{module}")
