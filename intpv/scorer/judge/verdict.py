"""JudgeVerdict: yes or no, and 0 to 5, out of a judge's reply; what names neither or both is none, never a guess.

Video-ChatGPT (arXiv 2306.05424) asks for a Python dict {'pred': 'yes' | 'no', 'score': INTEGER}, shows 4.8 in its own
example and cuts decimals off. Here JSON is asked for and read first, then every form in which models were found to say
it. Where the rule contradicts itself, so it is resolved: `pred` alone decides what is right; the score is kept with its
decimals and reported apart; a yes with 0 or 1 and a no with 4 or 5 are counted as contradictory.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

HIGHEST = 5
LONGEST = 20_000  # characters that are read of a reply: a verdict is a line
THOUGHT = re.compile(r"<think>.*?</think>|<think>.*|^.*?</think>", re.DOTALL)  # of a judge that thinks aloud
WORDS = {"yes": True, "no": False, "true": True, "false": False}
NUMBER = r"-?\d+(?:\.\d+)?"
PRED = re.compile(rf"\bpred[\"'*\s]*[:=][\"'*\s]*({'|'.join(WORDS)})\b", re.IGNORECASE)
SCORE = re.compile(rf"\bscore[\"'*\s]*[:=][\"'*\s]*({NUMBER})", re.IGNORECASE)
BARE = re.compile(rf"\W*(yes|no)\W*?(?:score\W*?)?({NUMBER})?(?:\s*/\s*{HIGHEST})?\W*", re.IGNORECASE)


@dataclass(frozen=True)
class JudgeVerdict:
    """What a judge said of one prediction."""

    correct: bool
    score: float | int | None  # 0 to 5; None where it gave none, or none of these

    @property
    def contradictory(self) -> bool:
        """Whether its two halves cannot both be meant."""
        return self.score is not None and (self.score <= 1 if self.correct else self.score >= HIGHEST - 1)


def parse_verdict(reply: str) -> JudgeVerdict | None:
    """The verdict of a reply; None where there is none, or several that differ.

    >>> parse_verdict('{"pred": "yes", "score": 4}')
    JudgeVerdict(correct=True, score=4.0)
    >>> parse_verdict("{'pred': no, 'score': '0.5'}"), parse_verdict("yes, 4"), parse_verdict("yes or no")
    (JudgeVerdict(correct=False, score=0.5), JudgeVerdict(correct=True, score=4.0), None)
    """
    text = THOUGHT.sub("", reply[-LONGEST:]).strip()
    found = {verdict for fields in _objects(text) if (verdict := _of_fields(fields))} or _of_text(text)
    return found.pop() if len(found) == 1 else None


def _objects(text: str) -> Iterator[dict]:
    """JSON objects in it, wherever they begin."""
    decoder, place = json.JSONDecoder(), text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield value
        place = text.find("{", end)


def _of_fields(fields: dict) -> JudgeVerdict | None:
    lower = {name.strip().lower(): value for name, value in fields.items()}
    pred = lower.get("pred")
    word = str(pred).strip(" .!'\"").lower() if isinstance(pred, str | bool) else ""
    if word not in WORDS:
        return None
    score = lower.get("score")
    return JudgeVerdict(WORDS[word], _score(score) if isinstance(score, str | int | float) else None)


def _of_text(text: str) -> set[JudgeVerdict]:
    """Keys with values in any writing, else a yes or no that stands alone with or without a number."""
    preds = {WORDS[word.lower()] for word in PRED.findall(text)}
    if preds:
        scores = {_score(number) for number in SCORE.findall(text)}
        return {JudgeVerdict(pred, scores.copy().pop() if len(scores) == 1 else None) for pred in preds}
    bare = BARE.fullmatch(text)
    return {JudgeVerdict(WORDS[bare[1].lower()], _score(bare[2]))} if bare else set()


def _score(value: str | int | float | None) -> float | None:
    """None for what is no number from 0 to 5."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number <= HIGHEST else None
