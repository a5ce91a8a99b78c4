"""A figure's numbers as a table keep the rows' order and columns."""

from pathlib import Path

from intpv.logger.mirror import Figure


def test_columns_are_the_first_rows_and_values_follow_them():
    figure = Figure("memory", Path("memory.png"), [{"part": "codes", "bytes": 3}, {"bytes": 5, "part": "zeros"}])
    assert figure.columns() == ["part", "bytes"]
    assert figure.values() == [["codes", 3], ["zeros", 5]]
    assert Figure("empty", Path("empty.png"), []).values() == []
