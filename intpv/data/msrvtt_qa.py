"""MSRVTT-QA in the form of Video-ChatGPT and Video-LLaVA: test_q.json, test_a.json and videos/all/<video_name>.mp4."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .paired_files import PairedFiles
from .published import ENDINGS


@dataclass(frozen=True)
class MsrvttQa(PairedFiles):
    """Clips of the web, 24 questions each, answers of one word. Kinds are the question words."""

    name = "msrvtt_qa"
    title = "MSRVTT-QA"
    counts: ClassVar[Mapping[str, int]] = {"test": 72821}
    endings = ENDINGS
