"""Dry run: what a sweep would do - its cells, what is done and cached, and the bytes and seconds still to come."""

from collections.abc import Sequence
from statistics import median

from hydra.utils import instantiate

from intpv.data.benchmark import VideoItem
from intpv.data.item_check import check_items
from intpv.inference.viewing import Viewer
from intpv.metrics.power import POWER, minimum_detectable, planned_error
from intpv.record.run_folder import RunFolder
from intpv.video_llm.video_llm import VideoLLM

from ..run import build
from ..run.outcome import console
from ..run.quiet import quiet
from ..run.sibling import analysis
from .plan import Planned

FRAMES = ("data", "video", "model", "encoder", "frames")  # what the cache's keys of frames follow from
SHAPING = ("model", "encoder", "budget", "kv_quant", "kv_evict", "frames")  # what the bytes of a prefix follow from
DIFFER = 0.2  # share of answers that one of two cells alone has right; the ablation's 64 frames against 8: 8 to 58 %
# of a cell its videos left, those of them cached, bytes per video, time all in all
COLUMNS = ("cell", "state", "left", "cached", "KV", "time")


def print_plan(cells: Sequence[Planned], left: Sequence[Planned]) -> None:
    """A row per cell and the sum. Loads the models: their shape gives the bytes, their weights the cache's keys."""
    quiet()
    todo, known, total, work = {cell.name for cell in left}, _known_seconds(cells), 0.0, _Work()
    as_time = analysis("table").seconds_text
    rows: list[tuple[str, ...]] = [COLUMNS]
    for cell in cells:
        state = cell.status or "new"
        if cell.name not in todo:
            rows.append((cell.name, state, "0", "", "", ""))
            continue
        videos, cached, kv_bytes = work.left(cell)
        seconds = estimate(known, cell.config["frames"])
        total += videos * (seconds or 0)
        size, time = analysis("table").bytes_text(kv_bytes), as_time(seconds and videos * seconds)
        rows.append((cell.name, state, str(videos), str(cached), size, time))
    console.print("plan, nothing is run")
    console.print(_aligned(rows), soft_wrap=True, markup=False, highlight=False)
    time = f"about {as_time(total)} of work" if known else "time unknown until a first cell is done"
    console.print(f"{len(left)} of {len(cells)} cells to run: {time}", highlight=False)
    for asked in work.questions():
        console.print(detectable_line(asked), highlight=False)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table of thousands of rows, which takes rich seconds."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def detectable_line(questions: Sequence[int]) -> str:
    """Which difference of two cells a test set with so many questions of each video can tell; before a cell is done
    nobody knows how many answers differ, and how far those of a video do so together."""
    asked = f"{sum(questions)} questions of {len(questions)} videos"
    if len(questions) < 2:
        return f"two cells cannot be told apart on {asked}"
    least, most = (
        100 * minimum_detectable(planned_error(questions, DIFFER, together), len(questions)) for together in (0.0, 1.0)
    )
    return (
        f"two cells on {asked}: told apart in {POWER:.0%} of samples from {least:.1f} points (answers of a video "
        f"differ independently) or {most:.1f} (all together), if {DIFFER:.0%} of the answers differ"
    )


def estimate(known: dict[int, float], frames: int) -> float | None:
    """Seconds per video at F = frames: as measured, else in proportion to the nearest F; None where nothing is known.

    Decoding and sharing between cells are left out: the first adds to a cold start, the second takes from the rest.
    """
    if not known:
        return None
    nearest = min(known, key=lambda count: abs(count - frames))
    return known[nearest] * frames / nearest


def _known_seconds(cells: Sequence[Planned]) -> dict[int, float]:
    """F -> median seconds per video, watching and asking, of the sweep's finished cells."""
    found: dict[int, list[float]] = {}
    for status in sorted(cells[0].folder.parent.glob("*/status.json")):
        run = RunFolder(status.parent)
        metrics = run.metrics() if run.status() == "done" else {}
        frames, watch, ask = (metrics.get(name) for name in ("frames", "time/watch_s", "time/ask_s"))
        if frames is not None and watch is not None and ask is not None:
            found.setdefault(int(frames), []).append(watch + ask)
    return {frames: median(seconds) for frames, seconds in found.items()}


class _Work:
    """What is left of cells; what cells have in common is looked at once, for a sweep may have thousands."""

    def __init__(self) -> None:
        self._items: dict[tuple, Sequence[VideoItem]] = {}
        self._expected: dict[tuple, dict[str, list[str]]] = {}
        self._ready: dict[tuple, set[str]] = {}  # videos whose tower outputs are in the cache
        self._frames_keys: dict[tuple, dict[str, str]] = {}  # by video
        self._bytes: dict[tuple, int] = {}

    def questions(self) -> set[tuple[int, ...]]:
        """Of each test set that was looked at how many each video has."""
        return {tuple(len(item.questions) for item in items) for items in self._items.values()}

    def left(self, cell: Planned) -> tuple[int, int, int]:
        """Videos left, how many of them the cache has through the tower, and the bytes of one packed prefix."""
        config = cell.config
        data, scorer = repr(config["data"]), repr(config["scorer"])
        if (data, scorer) not in self._expected:
            items = build.benchmark(config).items()
            check_items(items, cell.choices["data"], instantiate(config["scorer"]).needs_options)
            self._items[data, scorer] = items
            self._expected[data, scorer] = {item.id: [question.id for question in item.questions] for item in items}
        expected = self._expected[data, scorer]
        shape, frames = (
            tuple(repr(config[key]) for key in keys)  # type: ignore[literal-required]
            for keys in (SHAPING, FRAMES)
        )
        seen = cell.tower_key, repr(config["cache"])
        if shape not in self._bytes or seen not in self._ready:
            video_llm = build.video_llm(config)
            viewer = Viewer(video_llm, instantiate(config["video"]), build.cache(config), config["frames"])
            self._bytes[shape] = _kv_bytes(video_llm, config["frames"])
            if seen not in self._ready:
                keys = self._frames_keys.setdefault(frames, {})
                self._ready[seen] = viewer.ready(self._items[data, scorer], keys)
        missing = expected.keys() - RunFolder(cell.folder).complete(expected)
        return len(missing), len(missing & self._ready[seen]), self._bytes[shape]


def _kv_bytes(video_llm: VideoLLM, frames: int) -> int:
    rules, layout = video_llm.packing_rules, video_llm.prefix_layout(frames)
    return rules.nbytes(layout, rules.capacity(layout))
