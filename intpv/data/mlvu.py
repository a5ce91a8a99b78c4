"""MLVU dev, the seven multiple-choice tasks (JUNJIE99/MLVU): json/<task>.json and video/<task>/<video>.

A question has no id in the files: it is its task and its place there. The published score is the mean over tasks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from .annotation import json_rows
from .kinds import chosen_tasks
from .published import Ask, MultipleChoice

TASKS = {  # question_type -> file, questions as published
    "plotQA": ("1_plotQA", 539),
    "findNeedle": ("2_needle", 355),
    "ego": ("3_ego", 352),
    "count": ("4_count", 206),
    "order": ("5_order", 259),
    "anomaly_reco": ("6_anomaly_reco", 200),
    "topic_reasoning": ("7_topic_reasoning", 264),
}


@dataclass(frozen=True)
class Mlvu(MultipleChoice):
    """Videos of minutes to hours. Kinds are question_type; only the files of the kinds asked for are read."""

    name = "mlvu"
    title = "MLVU"
    counts: ClassVar[Mapping[str, int]] = {"dev": sum(count for _, count in TASKS.values())}

    split: str = "dev"

    @property
    def file(self) -> Path:
        return self.folder / "json"

    @property
    def expected(self) -> int:
        return sum(TASKS[kind][1] for kind in chosen_tasks(TASKS, self.kinds))

    def asked(self) -> Iterator[Ask]:
        for kind in chosen_tasks(TASKS, self.kinds):
            stem, _ = TASKS[kind]
            for index, row in enumerate(json_rows(self.file / f"{stem}.json")):
                if row.text("question_type") != kind:
                    raise row.fault("question_type", kind, row.value("question_type"))
                video = PurePosixPath(stem, row.text("video"))
                text, answer = (str(row.value(field)).strip() for field in ("question", "answer"))
                question = self.choice(f"{stem}/{index}", kind, text, row.texts("candidates"), answer)
                yield Ask(str(video.with_suffix("")), question)
