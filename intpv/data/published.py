"""Published benchmarks: what every one of them shares: its fields, its counts, its prompts and its missing videos."""

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from intpv.bounds import check_place, check_whole, shown
from intpv.errors import BadInput
from intpv.video.sampling import Clip

from .annotation import VideoFiles
from .benchmark import Benchmark, Question, VideoItem
from .kinds import check_kinds, chosen_kinds
from .prompt import check_template, lettered

log = logging.getLogger(__name__)

ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".webm")  # tried in turn where files differ in theirs
BLANK = "(empty)"  # in place of what the published file leaves empty: the model is shown something


class Ask(NamedTuple):
    """A question and the video it is about."""

    video: str  # without the ending, below data.videos
    question: Question
    clip: Clip | None = None  # start and end in seconds of what is shown; None: all of it


@dataclass(frozen=True)
class Published(Benchmark):
    """A benchmark whose files lie below `root` as their authors lay them out; questions join answers by their ids."""

    title: ClassVar[str]  # as its authors write it
    counts: ClassVar[Mapping[str, int]]  # split -> questions, as published
    endings: ClassVar[Sequence[str]] = (".mp4",)  # of its videos

    root: str = "."  # folder of the annotation files
    videos: str = "videos"  # folder of the videos, below root or absolute
    split: str = "test"
    limit: int | None = None  # the first videos only; None: all
    kinds: Sequence[str] | None = None  # these kinds of question only; None: all
    prompt: str = "{question}"  # a template, or the name of one of `prompts`
    prompts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # as published: name -> prompt and option
    _items: list[VideoItem] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_place("data.root", self.root)
        check_place("data.videos", self.videos)
        if self.split not in self.counts:
            raise BadInput(
                f"data.split of {self.title} must be one of {', '.join(self.counts)}, got {shown(self.split)}"
            )
        check_whole("data.limit", self.limit, or_null=True)
        check_kinds(self.kinds)
        self._choose_prompt()
        self._check_prompt()

    @abstractmethod
    def asked(self) -> Iterator[Ask]:
        """Every question of the split, in the order of its file."""

    @property
    @abstractmethod
    def file(self) -> Path:
        """The annotation file that the questions are in."""

    @cached_property
    def folder(self) -> Path:
        """Of the annotations, ~ expanded."""
        return Path(self.root).expanduser()

    @property
    def expected(self) -> int:
        """Questions of the split, as published."""
        return self.counts[self.split]

    def items(self) -> list[VideoItem]:
        """Read once. Videos are only looked for, not opened: one that is not there fails its questions when asked."""
        if not self._items:
            self._items.extend(self._read())
        return [*self._items]

    def _choose_prompt(self) -> None:
        """Put the template in the place of its name; one that differs by split has a template of each."""
        of_names = isinstance(self.prompts, Mapping)
        if not of_names or not all(isinstance(one, Mapping) and "prompt" in one for one in self.prompts.values()):
            raise BadInput(f"data.prompts must give names a prompt each, got {shown(self.prompts)}")
        if not isinstance(self.prompt, str) or self.prompt not in self.prompts:
            if self.prompts and "{" not in str(self.prompt):
                known = f"{', '.join(self.prompts)}, or a template with {{question}}"
                raise BadInput(f"data.prompt must be one of {known}, got {shown(self.prompt)}")
            return
        chosen, name = self.prompts[self.prompt], self.prompt
        template = chosen["prompt"]
        if isinstance(template, Mapping):
            if self.split not in template:
                raise BadInput(f"data.prompt={name} is for the splits {', '.join(template)}, got {self.split}")
            template = template[self.split]
        object.__setattr__(self, "prompt", template)
        if getattr(self, "option", "") is None:
            object.__setattr__(self, "option", chosen.get("option"))

    def _check_prompt(self) -> None:
        check_template("data.prompt", self.prompt, ("Question" if "{Question}" in str(self.prompt) else "question",))

    def _read(self) -> list[VideoItem]:
        asked: dict[tuple[str, Clip | None], list[Question]] = {}
        for video, question, clip in self.asked():
            asked.setdefault((video, clip), []).append(question)
        count = sum(map(len, asked.values()))
        if not count:
            raise BadInput(f"{self.file}: must hold at least 1 question of {self.title}, got 0")
        if count != self.expected:
            where = f"data={self.name} {self.split}: {self.file}"
            log.warning(
                "%s has %s questions, %s has %s as published", where, f"{count:,}", self.title, f"{self.expected:,}"
            )
        faults = Counter(
            question.labels["fault"] for mine in asked.values() for question in mine if "fault" in question.labels
        )
        for fault, times in faults.items():
            log.warning(
                "data=%s: %d questions of %s with %s; they are asked, and labelled fault",
                self.name,
                times,
                self.file,
                fault,
            )
        files = VideoFiles(self.folder / Path(self.videos).expanduser(), self.endings)
        chosen = [*chosen_kinds(asked, self.kinds, self.file).items()][: self.limit]
        items = [
            VideoItem(_identity(video, clip), files.path(video), tuple(mine), clip=clip)
            for (video, clip), mine in chosen
        ]
        files.warn_of_missing(self.name, len(items))
        return items


def _identity(video: str, clip: Clip | None) -> str:
    """A name that a file can have: of the video, and of the part of it that is shown."""
    return video.replace("/", "--") + (f"@{clip[0]:g}-{clip[1]:g}" if clip else "")


@dataclass(frozen=True)
class MultipleChoice(Published):
    """Questions with options. The answer is an option's text: where the right option is there twice, both are right."""

    prompt: str = "{question}\n{options}"
    option: str | None = None  # a line of {options}; None: the prompt's own, else "{letter}. {option}"

    def _check_prompt(self) -> None:
        if self.option is None:
            object.__setattr__(self, "option", "{letter}. {option}")
        check_template("data.prompt", self.prompt, ("question", "options"))
        check_template("data.option", self.option, ("option",), ("letter",))

    @property
    def asks_for_letters(self) -> bool:
        return "{letter}" in (self.option or "")

    def choice(
        self,
        identity: str,
        kind: str,
        question: str,
        options: Sequence[str],
        answer: str,
        labels: Mapping | None = None,
    ) -> Question:
        """Faults of the published file are kept and labelled: leaving such questions out would change the benchmark."""
        options, answer = tuple(option or BLANK for option in options), answer or BLANK
        question, fault = question or BLANK, None
        if question == BLANK:
            fault = "an empty question"
        elif BLANK in options:
            fault = "an empty option"
        elif answer not in options:
            fault = "an answer that is none of its options"
        elif options.count(answer) > 1:
            fault = "the right option twice"
        elif len(set(options)) < len(options):
            fault = "a wrong option twice"
        labels = {**(labels or {}), **({"fault": fault} if fault else {})}
        text = lettered(self.prompt, self.option or "", question, options)
        return Question(identity, kind, text, options, answer, labels)
