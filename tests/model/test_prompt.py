"""Prompt: every question is asked, and a newline is one."""

import pytest

from intpv.errors import BadInput
from intpv.model.model import Prompt


def test_the_question_stands_where_the_template_says():
    assert Prompt("USER: ", "", "\n{question} ASSISTANT:").question("Why {so}?") == "\nWhy {so}? ASSISTANT:"


@pytest.mark.parametrize("ask", ["", "USER: ASSISTANT:", "{question} {answer}", "{}", "{question", "{question.text}"])
def test_a_template_that_asks_nothing_or_more_is_refused(ask):
    with pytest.raises(BadInput, match=r"prompt\.ask must hold {question} and no other braces, got"):
        Prompt("", "", ask)


@pytest.mark.parametrize("name", ["before_video", "after_video", "ask"])
def test_a_newline_that_the_shell_left_as_two_characters_is_refused(name):
    texts = {"before_video": "", "after_video": "", "ask": "{question}"}
    with pytest.raises(BadInput, match=rf"prompt\.{name} must hold a newline, got a backslash and n") as error:
        Prompt(**{**texts, name: texts[name] + r"\n"})
    assert len(str(error.value).splitlines()) == 1
