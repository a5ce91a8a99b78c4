"""Verbs: `python -m experiments.<verb>`; no science inside."""
