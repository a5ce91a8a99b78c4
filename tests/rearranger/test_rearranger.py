"""Every rearranger keeps the laws; ours are permutations, but for those that show a frame more than once, and the
identity at F = N unless they are a control."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from intpv.errors import BadInput
from intpv.laws import laws_of
from intpv.rearranger.rearranger import Rearranger

from ..tiny import tiny_model

OPTIONS = {
    path.stem: instantiate(OmegaConf.create({"seed": 0, "option": OmegaConf.load(path)}).option)
    for path in sorted((Path(__file__).parents[2] / "conf" / "rearranger").glob("*.yaml"))
}
LAWS = [(name, law) for name, option in OPTIONS.items() for law in laws_of("rearranger", option, tiny_model)]
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


@pytest.mark.parametrize("rearranger", [one for name, one in OPTIONS.items() if name not in ("anchor", "overlap")])
@given(**lengths)
def test_order_is_a_permutation(rearranger, m, n, video_id):
    order = rearranger.order(m * n, n, video_id)
    assert order.dtype == torch.int64
    assert order.flatten().sort().values.tolist() == list(range(m * n))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "law"), LAWS, ids=str)
def test_every_option_keeps_the_laws(name, law):
    assert law.judge()


@pytest.mark.parametrize("name", ["anchor", "contiguous", "overlap", "strided", "stretch", "unrestored"])
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
