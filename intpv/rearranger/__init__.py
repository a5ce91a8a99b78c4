"""Rearrangers: which frames share a group, and in which order; one order a file, each nothing but an index table."""
