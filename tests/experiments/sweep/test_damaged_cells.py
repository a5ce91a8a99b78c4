"""A sweep over spoilt folders names each file once, goes on, and ends with what a sweep without a break gives."""

import pytest
from rich.console import Console

from analysis.runs import read_sweep
from analysis.summary import summarise_sweep

from ...record.spoilt import WAYS
from ..cli import read

pytestmark = pytest.mark.slow  # whole sweeps

SWEEP = ("-m", "frames=8,16", "kv_quant=none,int2", "rope_strategy=none,visual_only", "logger=none")
SPOILT = (
    ("status.json", "empty"),
    ("samples.jsonl", "truncated"),
    ("videos.jsonl", "garbage"),
    ("metrics.json", "another schema"),
    ("environment.json", "folder"),
    (".hydra/config.yaml", "list"),
    ("samples.jsonl", "folder"),
)


@pytest.fixture(scope="module")
def spoilt(bench):
    """(sweep's folder, spoilt file by cell, samples as they were)."""
    bench.run(*SWEEP, "sweep.name=spoilt")
    folder = bench.folder / "runs" / "spoilt"
    cells = sorted(bench.cells("spoilt").values())
    before = {cell: (cell / "samples.jsonl").read_bytes() for cell in cells}
    files = {}
    for cell, (name, way) in zip(cells, SPOILT, strict=False):
        files[cell] = cell / name
        WAYS[way](cell / name)
    WAYS["truncated"](folder / "sweep.json")
    return folder, files, before


def test_readers_list_them_and_count_them_in_nothing(spoilt, capsys):
    folder, files, before = spoilt
    cells = {cell.folder: cell for cell in read_sweep(folder)}
    assert cells.keys() == before.keys()
    for cell, file in files.items():
        assert (cells[cell].status, cells[cell].metrics) == ("damaged", {})
        assert cells[cell].reason.startswith(f"{file} ")
    assert [cell.status for cell in cells.values()].count("done") == 1
    summarise_sweep(folder, Console(width=1000))
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"damaged: {file}" in said for file in files.values())


def test_the_same_command_makes_them_whole(bench, spoilt):
    folder, files, before = spoilt
    said = bench.run(*SWEEP, "sweep.name=spoilt")
    for file in files.values():
        assert said.count(f"{file} ") == 1
    assert f"{folder / 'sweep.json'} is no JSON: set aside as sweep.json.damaged" in said
    for cell, content in before.items():
        assert read(cell, "status.json")["status"] == "done"
        assert (cell / "samples.jsonl").read_bytes() == content
        assert read(cell, "metrics.json")["kv/bytes"] > 0
    assert {cell.status for cell in read_sweep(folder)} == {"done"}
