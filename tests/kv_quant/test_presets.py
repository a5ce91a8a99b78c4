"""Every option of conf/kv_quant is what its name says, fits the mini model, and the best one keeps its budget."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from intpv.kv_quant.calibration import read
from intpv.kv_quant.kv_quant import NoQuant
from intpv.laws import laws_of
from intpv.layout import Layout, Span
from intpv.options import option

CONF = Path(__file__).parents[2] / "conf"
OPTIONS = sorted(path.stem for path in (CONF / "kv_quant").glob("*.yaml"))
MINI = {"layers": 4, "kv_heads": 4, "head_dim": 32, "element_size": 4}
LLAMA_7B = {"layers": 32, "kv_heads": 32, "head_dim": 128, "element_size": 2}


def _option(name):
    return option("kv_quant", name)


def _video(frames, per_frame, before):
    return Layout((Span(before), *(Span(per_frame, float(t)) for t in range(frames))))


def _bits(policy, shape, layout):
    total = policy.closed_form_bytes(**shape, length=layout.length, layout=layout)
    return 8 * total / (2 * shape["layers"] * shape["kv_heads"] * shape["head_dim"] * layout.length)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("frames", [8, 32])
def test_every_option_fits_the_mini_model(option, frames):
    policy, layout = _option(option), _video(frames, 10, 5)
    pairs = [tuple(torch.randn(2, 4, layout.length, 32)) for _ in range(4)]
    mini = read("embedded")[0].origin
    packed = policy.pack(pairs, layout, torch.arange(layout.length)[:, None] * torch.rand(16), lambda: mini)
    assert packed.quantised_fraction >= 0.9 or option == "none"
    assert [k.shape[1] for k, _ in packed.layers[0].blocks()]


LAWS = [(name, law) for name in OPTIONS for law in laws_of("kv_quant", name)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "law"), LAWS, ids=str)
def test_every_option_keeps_the_laws(name, law):
    assert law.judge()


@pytest.mark.parametrize("option", OPTIONS)
def test_the_name_says_the_bits(option):
    policy = _option(option)
    expected = {"none": None, "k4v2": "K4V2", "int8": "int8", "int4": "int4"}
    assert isinstance(policy, NoQuant) if option == "none" else policy.label == expected.get(option, "int2")


@pytest.mark.parametrize(("option", "side", "groups"), [("paper_tensor", "key", 1), ("paper_channel", "key", 4 * 32)])
def test_the_papers_options_are_static_with_no_bits_beside_the_codes(option, side, groups):
    """Eq 3.7: S and Z once for a prefix of any length; 2 bits in the limit, as in the paper's Table 1."""
    policy = _option(option)
    assert policy.calibration == "embedded"
    sizes = [policy.closed_form_bytes(**MINI, length=length) for length in (1004, 2004)]
    angles = 4 * 1000  # keys before RoPE: a position for each further token
    assert sizes[1] - sizes[0] - angles == 2 * 4 * 4 * 1000 * 32 * 2 // 8
    assert policy.keys.grouping(policy.zone(_video(8, 10, 5))).count(4, 80, 32) == groups


def test_vidkv_like_differs_from_kivi_in_its_values_alone():
    kivi, vidkv = _option("kivi"), _option("vidkv_like")
    assert replace(kivi, value_granularity="channel") == vidkv


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        (MINI, _video(32, 10, 5)),
        (MINI, _video(64, 10, 5)),
        (LLAMA_7B, _video(32, 257, 40)),
        (LLAMA_7B, _video(8, 257, 40)),
    ],
)
@pytest.mark.parametrize("option", ["best2", "best2_sink"])
def test_both_bests_keep_to_two_and_a_half_bits_with_everything_counted(option, shape, layout):
    assert _bits(_option(option), shape, layout) <= 2.5 < _bits(_option("kivi"), shape, layout)
