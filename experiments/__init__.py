"""Verbs of the command line; no science inside."""
