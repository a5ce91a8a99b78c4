"""Failure signatures: patterns by which a length that a model was not trained on shows."""
