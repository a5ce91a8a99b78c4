"""A dry run's sizes are each cell's own: whatever shapes a prefix is told apart."""

import re

import pytest


@pytest.mark.parametrize(
    "arguments", [("kv_evict=window", "kv_evict.tokens=60,70"), ("budget=random", "budget.keep=0.25,0.5")]
)
def test_cells_of_other_sizes_are_not_told_alike(evaluate, arguments):
    code, said = evaluate("-m", "sweep.name=sizes", "sweep.dry_run=true", "frames=16", *arguments)
    assert code == 0, said
    sizes = [found[1] for line in said.splitlines() if (found := re.search(r"-f16-\S+ .* ([\d.]+ k?B)", line))]
    assert len(sizes) == 2 == len(set(sizes)), said
