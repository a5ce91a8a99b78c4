"""Kinds of question: data.kinds asks some of them alone."""

from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from intpv.bounds import shown
from intpv.errors import BadInput

from .benchmark import Question

Video = TypeVar("Video", bound=Hashable)  # what stands for one


def check_kinds(kinds: object) -> None:
    """BadInput unless it is null or a list of texts."""
    if kinds is None or (
        isinstance(kinds, Sequence)
        and not isinstance(kinds, str)
        and kinds
        and all(isinstance(one, str) for one in kinds)
    ):
        return
    raise BadInput(f"data.kinds must be null or a list of kinds, got {shown(kinds)}")


def chosen_tasks(tasks: Iterable[str], kinds: Sequence[str] | None) -> list[str]:
    """Those of a benchmark with a file for each kind that are to be asked; BadInput for one that it does not have."""
    known = list(tasks)
    if unknown := [kind for kind in kinds or () if kind not in known]:
        raise BadInput(f"data.kinds must be out of {', '.join(known)}, got {', '.join(unknown)}")
    return [kind for kind in known if kinds is None or kind in kinds]


def chosen_kinds(
    asked: dict[Video, list[Question]], kinds: Sequence[str] | None, file: Path
) -> dict[Video, list[Question]]:
    """Questions of these kinds by video, videos without any left out; BadInput for a kind that no question has."""
    if kinds is None:
        return asked
    known = dict.fromkeys(question.kind for mine in asked.values() for question in mine)
    if unknown := [kind for kind in kinds if kind not in known]:
        raise BadInput(f"data.kinds must be out of {', '.join(known)}, as in {file}, got {', '.join(unknown)}")
    kept = {video: [question for question in mine if question.kind in kinds] for video, mine in asked.items()}
    return {video: mine for video, mine in kept.items() if mine}
