"""Parsers compared: each way of differing is counted where it belongs."""

from analysis.parsers import parser_difference, parser_table
from intpv.exchange.imported import sample_of
from intpv.scorer.vlmevalkit import VLMEvalKit

SAID = {"A": "x", "A man in red": "x", "Best option: C": "z", "who knows": "x", "b": "y", "I see Cars": "z"}


def test_each_difference_is_counted_once():
    lines = [sample_of(f"{n}", "v", "?", said, answer=answer, options=("x", "y", "z"))
             for n, (said, answer) in enumerate(SAID.items())]  # fmt: skip
    found = parser_difference(lines, VLMEvalKit())
    assert (found.invalid, found.read, found.right_by_luck) == (3, 2, 2)  # the man, nobody, the cars
    assert (found.turned, found.lost) == (1, 1)  # best option, b
    assert (found.accuracy, found.strict) == (3 / 6, 3 / 6)


def test_open_questions_and_failures_are_left_out():
    lines = [sample_of("1", "v", "?", "a dog", answer="dog"), sample_of("2", "v", "?", None, options=("x", "y"))]
    assert parser_table([("cell", lines)]).count("\n") == 2
    closed = sample_of("3", "v", "?", "A", answer="x", options=("x", "y"))
    assert parser_table([("cell", [*lines, closed])]).count("| cell |") == 3
