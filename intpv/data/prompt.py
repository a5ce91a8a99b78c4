"""Prompt templates of benchmarks: how a question and its options are put to the model, as each one published it."""

from collections.abc import Sequence
from string import ascii_uppercase

from intpv.bounds import shown
from intpv.errors import BadInput


def check_template(key: str, template: object, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """BadInput unless it holds all of `needed` in braces, and no braces but these and `allowed`."""
    names = " and ".join(f"{{{name}}}" for name in needed)
    if isinstance(template, str):
        if r"\n" in template:
            raise BadInput(
                f"{key} must hold a newline, got a backslash and n in {template}: in bash $'{key}=...\\n...'"
            )
        try:
            if all(
                f"\0{name}\0" in template.format(**{one: f"\0{one}\0" for one in (*needed, *allowed)})
                for name in needed
            ):
                return
        except (LookupError, ValueError, AttributeError):
            pass
    beside = "".join(f", may hold {{{name}}}" for name in allowed)
    raise BadInput(f"{key} must hold {names}{beside} and no other braces, got {' '.join(shown(template).split())}")


def lettered(prompt: str, option: str, question: str, options: Sequence[str]) -> str:
    r"""The text to ask: `prompt` with the question, and with a line of each option where it says {options}.

    {Question} is the question as a sentence begins: ActivityNet-QA's are in lower case.

    >>> lettered("{question}\n{options}\nThe best answer is:", "({letter}) {option}", "What?", ["red", "blue"])
    'What?\n(A) red\n(B) blue\nThe best answer is:'
    """
    if not options:
        return prompt.format(question=question, Question=question.capitalize(), options="")
    if len(options) > len(ascii_uppercase):
        raise BadInput(f"a question must have at most {len(ascii_uppercase)} options, got {len(options)}: {question}")
    lines = (option.format(letter=ascii_uppercase[index], option=text) for index, text in enumerate(options))
    return prompt.format(question=question, Question=question.capitalize(), options="\n".join(lines))
