"""Laws of a benchmark: items that a run can rely on, the same ones each time, their files in place."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from intpv.check.finding import Check, Wrong, equal
from intpv.data.benchmark import Benchmark, Question, VideoItem
from intpv.data.item_check import check_items
from intpv.metrics.majority_floor import majority_floor
from intpv.scorer.exact import Exact
from intpv.scorer.letters import Letters


def checks(benchmark: Benchmark) -> list[Check]:
    """In the order of need. Clips that are rendered, are."""
    items = cache(benchmark.items)
    return [
        Check("items", lambda: sound(benchmark, items), needed=True),
        Check("same items again", lambda: same(benchmark, items)),
        Check("answers", lambda: right_answers(items)),
        Check("files", lambda: files(items)),
        Check("bounds", lambda: bounds(benchmark, items)),
    ]


def sound(benchmark: Benchmark, items: Callable[[], list[VideoItem]]) -> str:
    """As `check_items` refuses them before a run: ids, texts, options, labels."""
    check_items(items(), benchmark.name, closed=False)
    questions = [one for item in items() for one in item.questions]
    closed = sum(bool(one.options) for one in questions)
    return f"{len(items())} videos, {len(questions)} questions, {closed} of them with options"


def same(benchmark: Benchmark, items: Callable[[], list[VideoItem]]) -> str:
    """A run that goes on finds its videos and questions by id."""
    if benchmark.items() != items():
        raise Wrong("items() gives others when it is asked again")
    return "asked twice"


def right_answers(items: Callable[[], list[VideoItem]]) -> str:
    """The right answer, said word for word, is right: to letters where there are options, to exact where not."""
    asked = [one for item in items() for one in item.questions]
    answered = [one for one in asked if one.answer]
    wrong = [one for one in answered if not _scorer(one).score(one.answer, one).correct]
    right = len(answered) - len(wrong)
    wrong = [one for one in wrong if "fault" not in one.labels]
    if wrong:
        raise Wrong(f"{len(wrong)} of {len(asked)} are wrong word for word, {wrong[0].id}: {wrong[0].answer}")
    lines = [{"kind": one.kind, "options": one.options, "answer": one.answer} for one in asked]
    floor = majority_floor(lines)["majority_floor"]  # type: ignore[arg-type]
    by = ", ".join(sorted({type(_scorer(one)).__name__.lower() for one in asked}))
    return f"{by}: {right} of {len(asked)} right word for word, the commonest of each kind {floor:.1%}"


def _scorer(question: Question) -> Letters | Exact:
    return Letters() if question.options else Exact()


def files(items: Callable[[], list[VideoItem]]) -> str:
    """Every video is a file."""
    missing = [item.path for item in items() if not Path(item.path).is_file()]
    if missing:
        raise Wrong(f"{len(missing)} of {len(items())} videos are no files: {missing[0]}")
    return f"{len(items())} are there"


def bounds(benchmark: Benchmark, items: Callable[[], list[VideoItem]]) -> str:
    """One for each question; scores from 0 to 1, or unknown."""
    item = items()[0]
    given = benchmark.bounds(item, range(8))
    equal("bounds of a video are", len(given), len(item.questions), "its questions")
    for one in given:
        for name in ("ceiling", "blind"):
            value = one[name]  # type: ignore[literal-required]
            if value is not None and not 0 <= value <= 1:
                raise Wrong(f"{name} is {value}, must be from 0 to 1")
    return f"{len(given)} of the first video"
