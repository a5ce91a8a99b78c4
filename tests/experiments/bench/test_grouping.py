"""What grouping costs: every rearranger on a small tower, shares that follow from the seconds, nothing lost."""

import pytest
import torch

from experiments.bench.grouping import as_table, bench, rearrangers
from experiments.run.provenance import provenance
from intpv.cost.grouping import Regroup
from intpv.cost.shape import read
from intpv.options import CONF

SMALL = {"hidden": 64, "tower_hidden": 64, "tower_intermediate": 128}
SMALL |= {"image_size": 28, "layers": 1, "intermediate": 96}


@pytest.fixture(scope="module")
def shape():
    return read("video_llava_7b", SMALL)


def test_every_rearranger_is_timed_at_every_number_of_frames(shape):
    found = bench(shape, [8, 16], 2, torch.device("cpu"))
    assert [row["frames"] for row in found["rows"]] == [8, 16]
    for row in found["rows"]:
        assert set(row["split_and_merge"]) == {file.stem for file in (CONF / "rearranger").glob("*.yaml")}
        for share in ("share_of_tower", "share_of_prefill_by_flops"):
            assert 0 < row[share]["min"] <= row[share]["median"] <= row[share]["max"]
        assert all(one["seconds"]["min"] > 0 for one in row["split_and_merge"].values())
    told = as_table({"what": "what it costs", "provenance": provenance(), **found}).splitlines()
    assert [line.split(" ")[1] for line in told[-2:]] == ["8", "16"]
    assert told[-1].count("[") == 3


def test_what_is_timed_brings_every_frame_back(shape):
    for name, rearranger in rearrangers().items():
        ours = Regroup(shape, 16, rearranger, torch.device("cpu"))
        groups = rearranger.split(ours.pixels, ours.order)
        frames = rearranger.merge(groups.flatten(3), ours.order).view(ours.pixels.shape)
        close = torch.allclose(frames, ours.pixels, rtol=0, atol=1e-6)  # the mean of what is shown thrice is rounded
        assert close == rearranger.restore or name == "contiguous", name
