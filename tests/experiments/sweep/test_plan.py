"""Plans are pure: one cell per name, what shares most stands together, one kind of sweep per folder."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep.plan import Planned, answer_key, batches, claim, distinct, left
from intpv.errors import BadInput
from intpv.record.cell_id import config_hash
from intpv.record.run_folder import SCHEMA, RunFolder


def cell(folder=Path("runs/s"), name=None, frames=16, rope="none", kv="none", limit=None, **more) -> Planned:
    config = {
        "frames": frames,
        "seed": 0,
        "rope_strategy": {"_target_": rope},
        "kv_quant": {"_target_": kv},
        "data": {"limit": limit},
        "logger": {"project": "intpv"},
        "encoder": {"num_frames": 8},
        **{group: {} for group in ("video", "model", "rearranger", "budget", "kv_evict", "passes")},
        **more,
    }
    choices = {"rope_strategy": rope, "kv_quant": kv, "logger": "wandb"}
    return Planned(folder / (name or config_hash(config)), config, choices, [], {})


GRID = [
    (frames, rope, kv) for frames in (16, 32) for rope in ("none", "yarn", "ntk") for kv in ("none", "int8", "int2")
]


@given(st.permutations(GRID), st.integers(1, 8))
def test_every_cell_is_in_one_batch_and_prefixes_are_made_once(grid, workers):
    cells = [cell(frames=frames, rope=rope, kv=kv) for frames, rope, kv in grid]
    made = batches(cells, workers)
    assert sorted(c.name for batch in made for c in batch) == sorted(c.name for c in cells)
    if workers <= 6:  # as many prefixes as there are
        assert len(made) == len({c.prefix_key for c in cells}) == 6
        assert all(len({c.prefix_key for c in batch}) == 1 for batch in made)
        towers = [batch[0].tower_key for batch in made]
        assert sum(a != b for a, b in pairwise(towers)) == 1  # each tower output in one stretch
    else:
        assert all(len(batch) == 1 for batch in made)


def test_what_shares_a_prefix_differs_in_quantisation_alone():
    assert cell(kv="none").prefix_key == cell(kv="int2").prefix_key
    for other in (cell(rope="yarn"), cell(frames=32), cell(limit=3), cell(seed=1), cell(model={"path": "b"})):
        assert other.prefix_key != cell().prefix_key
    assert cell(rope="yarn").tower_key == cell().tower_key != cell(frames=32).tower_key


@pytest.mark.parametrize("group", ["model", "video", "kv_quant"])
def test_two_files_of_one_name_share_nothing_that_depends_on_them(group):
    one, other = (cell(**{group: {"_target_": "none", "lora": f"{folder}/adapter"}}) for folder in ("/a", "/b"))
    assert answer_key(one.config) != answer_key(other.config)
    assert (one.prefix_key == other.prefix_key) == (one.tower_key == other.tower_key) == (group == "kv_quant")


def test_up_to_the_trained_frames_all_strategies_of_ours_are_one():
    ours = [f"intpv.rope_strategy.{name}" for name in ("none.NoScaling", "yarn.YarnScaling")]
    one, other = (cell(frames=8, rope=rope) for rope in ours)
    assert answer_key(one.config) == answer_key(other.config)
    assert one.prefix_key == other.prefix_key
    assert config_hash(one.config) != config_hash(other.config)
    apart = [cell(frames=8, rope=ours[1], kv="int2"), cell(frames=16, rope=ours[1]), cell(frames=8, rope="mine.Mine")]
    for more in ({"factor": 2.0}, {"window": "llm"}):
        apart.append(cell(frames=8, rope_strategy={"_target_": ours[1], **more}))
    assert len({answer_key(one.config) for one in (*apart, one)}) == len(apart) + 1


def test_equal_cells_are_run_once_and_different_ones_never_share_a_folder():
    assert len(distinct([cell(), cell(), cell(frames=32)])) == 2
    one, two = (cell(name="same", model={"path": path}) for path in ("/a/last", "/b/last"))
    with pytest.raises(BadInput, match=r"two cells would be named same: one with model\.path=/a/last, one with .*/b/l"):
        distinct([one, two])


@pytest.mark.parametrize(("retry", "again"), [(None, ""), ("failed", "failed"), ("oom", "oom"), ("all", "failed oom")])
def test_failed_cells_wait_for_retry(tmp_path, retry, again):
    cells = {name: cell(tmp_path, name) for name in ("new", "begun", "done", "failed", "oom")}
    for name in ("begun", "done"):
        RunFolder(cells[name].folder).open({})
    RunFolder(cells["done"].folder).finish({})
    RunFolder(cells["failed"].folder).fail(ValueError("x"))
    RunFolder(cells["oom"].folder).fail(MemoryError("x"))
    assert [one.name for one in left(list(cells.values()), retry)] == ["new", "begun", *again.split()]
    with pytest.raises(BadInput, match=r"sweep\.retry must be null, failed, oom or all, got never"):
        left([], "never")


def test_a_cell_of_a_newer_schema_stops_the_sweep_before_it_begins(tmp_path):
    folder = cell(tmp_path, "new").folder
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(json.dumps({"schema": SCHEMA + 1, "status": "done", "error": None}))
    with pytest.raises(BadInput, match=rf"status\.json is of schema {SCHEMA + 1}, this intpv knows {SCHEMA}"):
        left([cell(tmp_path, "other"), cell(tmp_path, "new")], "all")


class TestClaim:
    """One folder, one kind of sweep."""

    def test_the_same_sweep_and_one_that_grows_are_welcome(self, tmp_path):
        claim(tmp_path, [cell(frames=frames) for frames in (8, 16)])
        claim(tmp_path, [cell(frames=frames) for frames in (8, 16)])
        claim(tmp_path, [cell(frames=frames, kv=kv) for frames in (8, 32) for kv in ("none", "int2")])
        claim(tmp_path, [cell(frames=64, kv="int4")])  # both were swept over before

    def test_another_one_is_refused_with_the_first_difference(self, tmp_path):
        claim(tmp_path, [cell(frames=frames) for frames in (8, 16)])
        with pytest.raises(BadInput, match=r"holds a sweep with data\.limit=None, this one has data\.limit=4: give it"):
            claim(tmp_path, [cell(frames=frames, limit=4) for frames in (8, 16)])
        with pytest.raises(BadInput, match=r"with rope_strategy=none, this one has rope_strategy=yarn"):
            claim(tmp_path, [cell(rope="yarn")])

    def test_what_is_searched_over_may_differ_from_the_first_cell_on(self, tmp_path):
        claim(tmp_path, [cell(rope="yarn")], {"rope_strategy"})
        claim(tmp_path, [cell(rope="none")], {"rope_strategy"})
        with pytest.raises(BadInput, match=r"data\.limit=None, this one has data\.limit=4"):
            claim(tmp_path, [cell(rope="ntk", limit=4)], {"rope_strategy"})

    def test_one_of_a_newer_schema_is_refused(self, tmp_path):
        claim(tmp_path, [cell()])
        file = tmp_path / "sweep.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "schema": SCHEMA + 1}))
        before = file.read_bytes()
        with pytest.raises(BadInput, match=rf"sweep\.json is of schema {SCHEMA + 1}, this intpv knows {SCHEMA}"):
            claim(tmp_path, [cell()])
        assert file.read_bytes() == before

    def test_a_logger_makes_no_other_sweep(self, tmp_path):
        claim(tmp_path, [cell()])
        claim(tmp_path, [cell(logger={"project": "other"})])
