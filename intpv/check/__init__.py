"""Checks of a model or an adapter, each in a line: what is stated against what is measured."""
