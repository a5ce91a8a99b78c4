"""MSVD-QA in the form of Video-ChatGPT and Video-LLaVA: test_q.json, test_a.json and videos/<video_name>.avi."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .paired_files import PairedFiles
from .published import ENDINGS


@dataclass(frozen=True)
class MsvdQa(PairedFiles):
    """Short YouTube clips, answers of one word. Kinds are question words: the answers may lack a type."""

    name = "msvd_qa"
    title = "MSVD-QA"
    counts: ClassVar[Mapping[str, int]] = {"test": 13157}  # Video-LLaVA's log, its issue 96
    endings = (".avi", *(ending for ending in ENDINGS if ending != ".avi"))
