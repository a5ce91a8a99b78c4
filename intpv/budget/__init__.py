"""Budgets: which of a video's tokens the LLM is given, a stage between tower and LLM; one rule a file."""
