"""ActivityNet-QA (MILVLG/activitynet-qa): test_q.json, test_a.json and all_test/v_<video_name>.mp4."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .annotation import Row
from .paired_files import PairedFiles
from .published import ENDINGS

KINDS = ("motion", "spatial", "temporal", "yes_no", "color", "object", "location", "number", "other")  # types 0 to 8


@dataclass(frozen=True)
class ActivityNetQa(PairedFiles):
    """Long clips, ten questions each, in lower case and without a question mark. Kinds are the paper's nine types."""

    name = "activitynet_qa"
    title = "ActivityNet-QA"
    counts: ClassVar[Mapping[str, int]] = {"test": 8000}
    endings = ENDINGS

    def video(self, name: str) -> str:
        return f"v_{name}"

    def kind(self, question: str, answer: Row) -> str:
        return KINDS[answer.whole("type", 0, len(KINDS) - 1)]
