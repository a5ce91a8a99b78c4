"""Item check: a benchmark's items are held against what every run relies on, before a model is loaded."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from intpv.errors import BadInput
from intpv.escape import HIDDEN, printable
from intpv.metrics.names import name_beginnings
from intpv.video.sampling import is_clip

from .benchmark import Question, VideoItem

LONGEST_ID = 200  # bytes: what a file system takes as a name, with room for an ending
SHOWN = 10  # names of each fault
NO_REGIME = "{} with a label regime that has a / in it or is the beginning of a metric's name"
LETTERS = 60  # of a name


def check_items(items: Sequence[VideoItem], name: str, closed: bool) -> None:
    """BadInput with every fault in one line, its count first. `closed`: the scorer needs options.

    A question that is too long for the model is none of these: it fails alone, when it is asked.
    """
    if not items:
        raise BadInput(f"data={name} must have at least 1 video, got 0")
    found: dict[str, list[str]] = {}
    for fault, named in _faults(items, closed):
        found.setdefault(fault, []).append(named)
    if not found:
        return
    parts = [f"{fault} ({len(named)}): {_listed(named)}" for fault, named in found.items()]
    count = sum(map(len, found.values()))
    raise BadInput(f"data={name} has {count} fault{'s' * (count > 1)} in its items: {'; '.join(parts)}")


def _faults(items: Sequence[VideoItem], closed: bool) -> Iterator[tuple[str, str]]:
    """Pairs of a fault and whose it is."""
    questions = [question for item in items for question in item.questions]
    for what, ids in (("video", [item.id for item in items]), ("question", [one.id for one in questions])):
        for index, identity in enumerate(ids):
            if fault := _bad_id(identity, is_file=what == "video"):
                yield f"{what} id that {fault}", _name(identity) or f"{what} {index}"
        repeated = Counter(identity for identity in ids if isinstance(identity, str) and identity)
        yield from ((f"{what} id twice or more", _name(one)) for one, times in repeated.items() if times > 1)
    for item in items:
        if not isinstance(item.path, str) or not item.path or "\0" in item.path:
            yield "video without a path that a file can have", _name(item.id)
        if item.clip is not None and not is_clip(item.clip):
            yield "video with a clip that does not start at 0 s or later and end after its start", _name(item.id)
        if not item.questions:
            yield "video without questions", _name(item.id)
        if not _is_json(item.labels):
            yield "video with labels that JSON cannot hold", _name(item.id)
        elif _is_no_regime(item.labels.get("regime")):
            yield NO_REGIME.format("video"), _name(item.id)
        for question in item.questions:
            yield from ((fault, _name(question.id)) for fault in _question_faults(question, closed))


def _question_faults(question: Question, closed: bool) -> Iterator[str]:
    if isinstance(question.options, str) or not isinstance(question.options, Sequence):
        yield "question whose options are no list"
        return
    texts = (question.text, question.kind, question.answer, *question.options)
    if not all(isinstance(text, str) for text in texts):
        yield "question with a kind, text, option or answer that is no text"
        return
    if closed and not question.options:
        yield "question without options"
    if not all(option.strip() for option in question.options):
        yield "question with an empty option"
    if not question.kind or HIDDEN.search(question.kind):
        yield "question with an empty kind or control characters in it"
    if not all(map(_is_text, texts)):
        yield "question with a lone surrogate in it"
    if not _is_json(question.labels):
        yield "question with labels that JSON cannot hold"
    elif _is_no_regime(question.labels.get("regime")):
        yield NO_REGIME.format("question")


def _bad_id(identity: object, is_file: bool) -> str | None:
    """A question's id may have parts, `clip/3`; a video's is one name, as a file has it."""
    if not isinstance(identity, str):
        return "is no text"
    if not identity.strip():
        return "is empty"
    if not _is_text(identity):
        return "holds a lone surrogate"
    if HIDDEN.search(identity):
        return "holds control characters"
    if len(identity.encode()) > LONGEST_ID:
        return f"is longer than {LONGEST_ID} bytes"
    parts = identity.replace("\\", "/").split("/")
    if (is_file and len(parts) > 1) or not parts[0] or {".", ".."} & set(parts) or identity[1:3] in (":/", ":\\"):
        return "is a path"
    return None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_no_regime(regime: object) -> bool:
    """Its metrics, `<regime>/accuracy`, would be taken for others: when/questions are those of kind `when`."""
    return isinstance(regime, str) and ("/" in regime or regime in name_beginnings())


def _is_json(labels: object) -> bool:
    try:
        return isinstance(labels, dict) and _is_text(json.dumps(labels, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError):
        return False


def _name(identity: object) -> str:
    text = printable(identity if isinstance(identity, str) else repr(identity)).strip()
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}..."


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
