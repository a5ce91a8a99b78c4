"""Shared work: a video is decoded and seen by the tower once, and prefilled once for all cells that pack its prefix."""

from collections import Counter

import pytest

from experiments.bench.shared_prefixes import run_cells
from experiments.run.ahead import Ahead
from experiments.run.command import unchecked
from experiments.run.open_cell import CellToCome
from intpv.options import option
from intpv.record.run_folder import RunFolder
from intpv.video.reader import VideoReader
from intpv.video_llm.video_llm import VideoLLM

pytestmark = pytest.mark.slow  # whole sweeps

VIDEOS = 3
WIDTHS = ("none", "int8", "int2")
RUN = ("trainer.threads=1", "logger=none", "sweep.name=shared_work")
LINE = ["frames=16 rope_strategy=ntk"]


@pytest.fixture
def sweep(one_bench, tmp_path):
    """Runs cells with an empty cache: cells by name."""

    def run(name: str, settings: list[str] = LINE, widths: tuple[str, ...] = WIDTHS, **cache) -> dict[str, CellToCome]:
        place = [f"cache.dir={tmp_path / name / 'cache'}", *(f"cache.{key}={value}" for key, value in cache.items())]
        own = [*one_bench.arguments()[:-1], f"data.limit={VIDEOS}", *RUN, *place]
        lines = [f"{line} kv_quant={width}" for line in settings for width in widths]
        made = {line: unchecked([*own, *line.split()]) for line in lines}
        cells = [CellToCome(*one, tmp_path / name / line) for line, one in made.items()]
        run_cells(cells)
        return {cell.folder.name: cell for cell in cells}

    return run


@pytest.fixture
def work(monkeypatch):
    """Counts decodes, tower passes and prefills."""
    counts: Counter[str] = Counter()

    def count(owner, name, as_what):
        do = getattr(owner, name)

        def counted(*args, **kwargs):
            counts[as_what] += 1
            return do(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    count(VideoReader, "read", "decodes")
    count(VideoLLM, "look", "looks")
    count(VideoLLM, "prefill", "prefills")
    count(VideoLLM, "read", "prefills")
    return counts


@pytest.fixture
def narrow(sweep, tmp_path):
    """cache.prefix_gb that one prefix fits into, and no second one."""
    (cell,) = sweep("size", widths=("none",)).values()
    return 1.5 * RunFolder(cell.folder).metrics()["kv/full_precision_bytes"] / 1e9


def samples(cell: CellToCome) -> bytes:
    return (cell.folder / "samples.jsonl").read_bytes()


def test_every_video_is_decoded_once_per_number_of_frames_and_prefilled_once_per_strategy(sweep, work):
    cells = sweep("roomy", ["frames=8 rope_strategy=none", "frames=16 rope_strategy=none", *LINE])
    assert len(cells) == 9
    assert work == {"decodes": 2 * VIDEOS, "looks": 2 * VIDEOS, "prefills": 3 * VIDEOS}


def test_without_room_for_the_prefixes_all_cells_are_asked_before_the_next_video(narrow, sweep, work, monkeypatch):
    ask, answered = Ahead.ask, []

    def noted(self, loaded):
        ask(self, loaded)
        answered.append([len(RunFolder(cell.folder).samples()) for cell in self.to_come])

    monkeypatch.setattr(Ahead, "ask", noted)
    cells = sweep("narrow", prefix_gb=narrow)
    assert work == {"decodes": VIDEOS, "looks": VIDEOS, "prefills": VIDEOS}
    (questions,) = {len(samples(cell).splitlines()) // VIDEOS for cell in cells.values()}
    assert answered == [[questions * (place + 1)] * 2 for place in range(VIDEOS)]
    work.clear()
    roomless = sweep("none", prefix_gb=0)
    assert work["prefills"] == VIDEOS * len(WIDTHS)
    roomy = sweep("roomy")
    for name, cell in cells.items():
        assert samples(cell) == samples(roomless[name]) == samples(roomy[name])


def test_a_cell_that_cannot_be_asked_ahead_fails_at_its_own_turn_and_no_other(narrow, sweep, monkeypatch, tmp_path):
    pack, int2 = VideoLLM.pack, option("kv_quant", "int2")

    def broken(self, prefill):
        if self.kv_quant == int2:
            raise RuntimeError("no such width")
        return pack(self, prefill)

    monkeypatch.setattr(VideoLLM, "pack", broken)
    with pytest.raises(RuntimeError, match="no such width"):
        sweep("broken", prefix_gb=narrow)
    cells = {width: RunFolder(tmp_path / "broken" / f"{LINE[0]} kv_quant={width}") for width in WIDTHS}
    assert cells["none"].metrics()
    assert cells["int8"].metrics()
    assert cells["int2"].status() == "failed"
