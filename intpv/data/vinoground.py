"""Vinoground: vinoground_textscore.json, vinoground_videoscore.json and the videos under the names that these give.

Both have 500 pairs of opposite captions and clips: the text score asks for the caption of a clip, the video score for
the clip of a caption, two clips joined in one video. The labels pair and side tell a pair's four questions apart.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from .annotation import json_rows, unique
from .benchmark import Question
from .prompt import lettered
from .published import Ask, Published

PAIR = re.compile(r"(\d+)_(pos|neg)")
OPTIONS = ("A", "B")


@dataclass(frozen=True)
class Vinoground(Published):
    """Kinds are text and video; ids repeat in the two files, so the kind is part of them."""

    name = "vinoground"
    title = "Vinoground"
    counts: ClassVar[Mapping[str, int]] = {"test": 2000}

    videos: str = "."

    @property
    def asks_for_letters(self) -> bool:
        return True

    @property
    def file(self) -> Path:
        return self.folder / "vinoground_textscore.json"

    def asked(self) -> Iterator[Ask]:
        for kind in ("text", "video"):
            for identity, row in unique(json_rows(self.folder / f"vinoground_{kind}score.json"), "idx").items():
                pair, answer = PAIR.fullmatch(identity), row.text("GT")
                if not pair:
                    raise row.fault("idx", "as 0_pos or 0_neg", identity)
                if answer not in OPTIONS:
                    raise row.fault("GT", "A or B", answer)
                text = lettered(self.prompt, "", row.text("question"), ())
                labels = {"pair": int(pair[1]), "side": pair[2]}
                video = str(PurePosixPath(row.text("video_name")).with_suffix(""))
                yield Ask(video, Question(f"{kind}/{identity}", kind, text, OPTIONS, answer, labels))
