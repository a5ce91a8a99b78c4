"""Multiple choice: the prediction must name one option, by letter or by text; two or none is invalid, never a guess."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from intpv.scorer.options import STOPS, normalised
from intpv.scorer.scorer import Asked, Score, Scorer

# the whole prediction but for what stands before the letter and the option's text behind it
LEAD = r"(?:(?:the |my )?(?:best |correct |right )?(?:answer|option|choice)(?: is|:)*:? *(?:option )?)?"
STOP = rf"[{re.escape(STOPS)})]*"
LETTER = re.compile(
    rf"{LEAD}(?:\((?P<in>[a-z])\){STOP} *(?P<behind_in>.*)|(?P<bare>[a-z])(?:{STOP} *|[.:)] *(?P<behind_bare>.*)))",
    re.IGNORECASE,
)
MARK = re.compile(r"^\(?([A-Z])[.:)] *")  # of an option that brings its own letter, as "A. red"
LABEL = re.compile(r"^((?:Option|Caption|Sentence) \w): *")  # or its own label, as TempCompass's options do
YES_NO = re.compile(r"(yes|no)[,.;:!](?!\W*(?:yes|no)\b)", re.IGNORECASE)  # "No, he is not"
# in what explains an answer: a letter that can hardly be a word of it
OTHER = re.compile(r"\(([A-Z])\)|\b([A-Z])(?=[.:)]|\s*$)|\b([B-HJ-Z])\b", re.MULTILINE)


@dataclass(frozen=True)
class Letters(Scorer):
    """Takes A, (A), A., "The answer is A", "A. red" and the option's text, as published prompts ask for them.

    Also an option's own label, "Caption B"; a yes or no that a sentence begins with, where these are the options; an
    answer on the first line that further lines explain. "A man in red" is no A, "A. blue" none where A is red, "A or
    B" is two. Of equal options either letter is the same.
    """

    needs_options = True
    reads_letters = True

    def score(self, prediction: str, question: Asked) -> Score:
        named = named_option(prediction, question.options)
        return Score(correct=named is not None and named == question.answer, valid=named is not None)


def named_option(prediction: str, options: Sequence[str]) -> str | None:
    """The one option that a prediction names; None for none and for several.

    >>> named_option("The answer is (B).", ["red", "blue"]), named_option("A or B", ["red", "blue"])
    ('blue', None)
    """
    whole = prediction.replace("**", "")  # of Markdown
    if named := _named(" ".join(whole.split()), options):
        return named
    first, _, explained = whole.strip().partition("\n")
    named = _named(" ".join(first.split()), options)
    if named is None or not explained.strip():
        return named
    others = {_named(" ".join(line.split()), options) for line in explained.split("\n")}
    letters = {ascii_uppercase.index(next(filter(None, found))) for found in OTHER.findall(explained)}
    others |= {options[index] for index in letters if index < len(options)}
    return named if others <= {named, None} else None


def _named(text: str, options: Sequence[str]) -> str | None:
    said = normalised(text)
    if by_text := {option for option in options if said in (normalised(option), _unmarked(option))}:
        return by_text.pop() if len(by_text) == 1 else None
    if by_label := {option for option in options if _is_label(text, option)}:
        return by_label.pop() if len(by_label) == 1 else None
    if {normalised(option) for option in options} == {"yes", "no"} and (opening := YES_NO.match(text)):
        return next(option for option in options if normalised(option) == opening[1].lower())
    found = LETTER.fullmatch(text)
    if not found or (index := ascii_uppercase.index((found["in"] or found["bare"]).upper())) >= len(options):
        return None
    rest = normalised(found["behind_in"] or found["behind_bare"] or "")
    return options[index] if rest in ("", normalised(options[index]), _unmarked(options[index])) else None


def _unmarked(option: str) -> str:
    return normalised(LABEL.sub("", MARK.sub("", option)))


def _is_label(text: str, option: str) -> bool:
    label = LABEL.match(option)
    return bool(label and re.fullmatch(rf"{LEAD}{label[1]}{STOP}", text, re.IGNORECASE))
