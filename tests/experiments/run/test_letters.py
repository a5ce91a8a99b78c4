"""A benchmark that asks for letters under a scorer that reads none: said once, before anything is loaded."""

import logging

import pytest

from experiments.run import validation
from experiments.run.command import unchecked


@pytest.mark.parametrize(
    ("chosen", "warned"),
    [
        (["data=videomme"], True),
        (["data=videomme", "scorer=exact"], True),
        (["data=videomme", "scorer=letters"], False),
        (["data=videomme", "scorer=lmms_eval"], False),
        (["data=videomme", "data.prompt='{question} {options}'", "data.option='{option}'"], False),
        (["data=tempcompass", "data.split=yes_no"], False),
        (["data=vinoground", "scorer=lenient"], True),
        (["data=folder"], False),
        (["data=folder", "data.choice_prompt='{question} {options}'"], True),
        (["data=msvd_qa", "scorer=lenient"], False),
        ([], False),
    ],
    ids=str,
)
def test_a_scorer_that_cannot_read_letters_is_named_once(chosen, warned, caplog):
    validation._warn_of_letters.cache_clear()
    config, choices = unchecked(chosen)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            validation.check_run_scorer(config, choices)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == warned
    if warned:
        assert said[0].startswith(
            f"data={choices['data']} shows options with letters, scorer={choices['scorer']} takes"
        )
