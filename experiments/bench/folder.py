"""Measure a folder of one's own videos: python -m experiments.bench folder [rounds=3] [videos=20] [questions=25]

Clips of flipbook under data=folder, many questions each, mini model. All questions of a video asked behind one prefix,
against a prefill for each: once with the tower's output at hand, which favours the alternative, and once from the file,
as a script does that takes a question and its video in turn. About 5 minutes on one core:
analysis/results/bench_folder.json.
"""

import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hydra.utils import instantiate

from intpv.bounds import check_whole
from intpv.data.benchmark import VideoItem
from intpv.data.flipbook import Flipbook
from intpv.data.folder import Folder
from intpv.data.item_check import check_items
from intpv.inference.viewing import View, Viewer

from ..run import build
from ..run.command import own_config, unchecked
from ..run.messages import explained
from ..run.provenance import provenance, write_result
from ..run.quiet import quiet
from ..run.threads import set_threads
from .timing import alternate

SIZES = {"rounds": 3, "videos": 20, "questions": 25, "frames": 32}


def main() -> None:
    with explained("bench folder"):
        options = own_config("bench folder", __doc__, {**SIZES, "out": "analysis/results/bench_folder.json"})
        sizes = {name: options[name] for name in SIZES}
        for name, size in sizes.items():
            check_whole(name, size)
    with tempfile.TemporaryDirectory() as place:
        result: dict = {"what": "seconds of all questions; theirs / ours is how many times faster one prefix is"}
        result |= {"provenance": provenance(), **sizes, **both_ways(Path(place), **sizes)}
    write_result(options.out, result)
    print(*report_lines(result), sep="\n")


def both_ways(place: Path, rounds: int, videos: int, questions: int, frames: int) -> dict:
    """Seconds of reading the questions, and of asking them in both ways."""
    file = write_questions(place, videos, questions)
    start = time.perf_counter()
    items = Folder(str(place), file.name).items()
    check_items(items, "folder", closed=True)
    read_s = time.perf_counter() - start
    config, _ = unchecked([f"frames={frames}", "rope_strategy=yarn", "cache=off"])
    quiet()
    set_threads(1)
    viewer = Viewer(build.video_llm(config), instantiate(config["video"]), build.cache(config), frames)
    views = {item.id: viewer.view(item) for item in items}  # warm, too
    sources: dict[str, dict[str, View]] = {"behind_prefix": views, "from_the_file": {}}
    found = {
        name: alternate(partial(_once, viewer, items, known), partial(_each, viewer, items, known), rounds)
        for name, known in sources.items()
    }
    return {"read_s": read_s, **found}


def write_questions(place: Path, videos: int, questions: int) -> Path:
    """questions.jsonl, and below its folder the clips that it is about: their own questions again and again."""
    clips = Flipbook(str(place / "clips"), videos=(videos + 1) // 2, limit=videos).items()
    rows = [
        {
            "video": str(Path(item.path).relative_to(place)),
            "question": one.text,
            "options": list(one.options),
            "answer": one.answer,
            "kind": one.kind,
        }
        for item in clips
        for one in itertools.islice(itertools.cycle(item.questions), questions)
    ]
    file = place / "questions.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return file


def _once(viewer: Viewer, items: list[VideoItem], known: dict[str, View]) -> None:
    for item in items:
        _ask(viewer, item, known, [question.text for question in item.questions])


def _each(viewer: Viewer, items: list[VideoItem], known: dict[str, View]) -> None:
    for item in items:
        for question in item.questions:
            _ask(viewer, item, known, [question.text])


def _ask(viewer: Viewer, item: VideoItem, known: dict[str, View], texts: list[str]) -> None:
    llm, view = viewer.video_llm, known.get(item.id) or viewer.view(item)
    llm.ask(llm.read(view.features, view.timestamps, item.id), texts)


def report_lines(result: dict) -> Iterator[str]:
    """For reading."""
    asked = result["videos"] * result["questions"]
    about = f"{result['videos']} videos of {result['frames']} frames"
    yield f"{asked} questions about {about} read in {result['read_s']:.2f} s"
    for name, title in (("behind_prefix", "tower's output at hand"), ("from_the_file", "from the file")):
        ours, theirs = (1e3 * result[name][f"{side}_s"]["median"] / asked for side in ("ours", "theirs"))
        ratio = result[name]["ratio"]
        yield (
            f"{title}: {ours:.2f} ms a question behind one prefix, {theirs:.2f} ms with a prefill each, "
            f"{ratio['median']:.1f} times [{ratio['min']:.1f}, {ratio['max']:.1f}]"
        )


if __name__ == "__main__":
    main()
