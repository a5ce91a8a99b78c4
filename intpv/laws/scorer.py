"""Laws of a scorer: the answer is right, nothing and another option are not, and saying it twice changes nothing."""

from functools import partial

from intpv.check.finding import Check, Wrong, equal
from intpv.data.benchmark import Question
from intpv.errors import BadInput
from intpv.scorer.scorer import Score, Scorer

OPTIONS = ("red", "blue", "green")
CLOSED = tuple(Question(f"a/{one}", "color", "Which flashed?", OPTIONS, one) for one in OPTIONS)
OPEN = tuple(Question(f"b/{one}", "color", "Which flashed?", (), one) for one in OPTIONS)


def checks(scorer: Scorer) -> list[Check]:
    """No model, no state. BadInput for one that asks a judge: a network keeps no law."""
    if scorer.saved_only:
        raise BadInput("a scorer that asks a judge has no laws to check: experiments.score RUN --dry-run tries it")
    return [
        Check("answer is right", partial(right, scorer)),
        Check("others are wrong", partial(wrong, scorer)),
        Check("same score again", partial(again, scorer)),
    ]


def _questions(scorer: Scorer) -> tuple[Question, ...]:
    return CLOSED if scorer.needs_options else (*CLOSED, *OPEN)


def right(scorer: Scorer) -> str:
    """An answer in its own words is right, and an answer."""
    for question in _questions(scorer):
        equal(
            f"{question.answer!r} for {question.answer!r} is",
            scorer.score(question.answer, question),
            Score(True, True),
        )
    return f"{len(_questions(scorer))} questions, {'with' if scorer.needs_options else 'with and without'} options"


def wrong(scorer: Scorer) -> str:
    """Nothing at all, and another option, are not."""
    for question in _questions(scorer):
        for said in ("", *(one for one in OPTIONS if one != question.answer)):
            if scorer.score(said, question).correct:
                raise Wrong(f"{said!r} is right where the answer is {question.answer!r}")
        if scorer.score("", question).valid:
            raise Wrong("nothing at all is valid, must not be an answer")
    return "another option, and no answer at all"


def again(scorer: Scorer) -> str:
    """`score` of saved predictions must say what the run said."""
    for question in _questions(scorer):
        for said in (*OPTIONS, "", "a dog"):
            equal(f"{said!r} is", scorer.score(said, question), scorer.score(said, question), "before")
    return "a prediction is scored alike each time"
