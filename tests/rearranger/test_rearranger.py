"""Laws of every rearranger: a permutation, undone by merge, and the identity at F = N unless it is a control."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from intpv.errors import BadInput
from intpv.rearranger.rearranger import Rearranger

OPTIONS = {
    path.stem: instantiate(OmegaConf.create({"seed": 0, "option": OmegaConf.load(path)}).option)
    for path in sorted((Path(__file__).parents[2] / "conf" / "rearranger").glob("*.yaml"))
}
RESTORING = [name for name, option in OPTIONS.items() if option.restore]
every_option = pytest.mark.parametrize("rearranger", OPTIONS.values(), ids=OPTIONS.keys())
lengths = {"m": st.integers(1, 9), "n": st.integers(1, 9), "video_id": st.text(max_size=8)}


def test_the_options_are_the_files():
    assert OPTIONS
    for name, option in OPTIONS.items():
        assert isinstance(option, Rearranger)
        assert type(option).__module__ == f"intpv.rearranger.{name}"


def test_only_the_controls_do_not_restore():
    assert OPTIONS.keys() - set(RESTORING) == {"reversed", "unrestored"}


@every_option
@given(**lengths)
def test_order_is_a_permutation(rearranger, m, n, video_id):
    order = rearranger.order(m * n, n, video_id)
    assert order.dtype == torch.int64
    assert order.flatten().sort().values.tolist() == list(range(m * n))


@every_option
@given(**lengths)
def test_merge_undoes_split(rearranger, m, n, video_id):
    order = rearranger.order(m * n, n, video_id)
    frames = torch.arange(m * n).double().view(-1, 1, 1)
    merged = rearranger.merge(rearranger.split(frames, order), order)
    assert torch.equal(merged, frames if rearranger.restore else frames[order.flatten()])


@every_option
@given(**lengths)
def test_a_group_holds_the_frames_of_its_row(rearranger, m, n, video_id):
    order = rearranger.order(m * n, n, video_id)
    frames = torch.arange(m * n) * 10
    assert torch.equal(rearranger.split(frames, order), order * 10)


@pytest.mark.parametrize("name", ["contiguous", "strided", "stretch", "unrestored"])
def test_one_group_is_the_identity(name):
    assert OPTIONS[name].order(8, 8, "v").tolist() == [list(range(8))]


@every_option
@pytest.mark.parametrize(
    ("frames", "advice"), [(12, "8 or 16"), (7, "8"), (9, "8 or 16"), (0, "8"), (-8, "8"), (31, "24 or 32")]
)
def test_other_counts_are_refused_with_advice(rearranger, frames, advice):
    message = f"frames must be a multiple of 8, the tower's group length, got {frames}: use {advice}$"
    with pytest.raises(BadInput, match=message):
        rearranger.order(frames, 8)


def test_a_table_for_another_video_is_refused():
    strided = OPTIONS["strided"]
    order = strided.order(16, 8)
    with pytest.raises(BadInput, match="for 16 frames, got 24"):
        strided.split(torch.zeros(24, 1), order)
