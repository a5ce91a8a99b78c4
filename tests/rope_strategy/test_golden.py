"""Tables that the YaRN authors' own code computed: a committed part, and the full file where a checkout has it."""

import json
from pathlib import Path

import pytest
import torch

from intpv.rope_strategy.dynamic_ntk import DynamicNTKScaling
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.ntk_by_parts import NTKByPartsScaling
from intpv.rope_strategy.yarn import YarnScaling

TESTS = Path(__file__).parents[1]
FILES = {
    "committed": TESTS / "golden" / "rope.json",
    "shared": TESTS.parents[1] / "shared" / "golden" / "rope_yarn_repo.json",
}
# the dynamic methods are, at the length the file gives them, static ones
STRATEGIES = {
    "linear": LinearScaling(),
    "ntk": NTKScaling(),
    "part_ntk": NTKByPartsScaling(),
    "yarn": YarnScaling(),
    "by_parts": YarnScaling(temperature=1.0),
    "dynamic_linear": LinearScaling(),
    "dynamic_ntk_alpha1": NTKScaling(),
    "dynamic_ntk_alpha2": DynamicNTKScaling(alpha=2),
    "dynamic_ntk_alpha4": DynamicNTKScaling(alpha=4),
    "dynamic_part_ntk": NTKByPartsScaling(),
    "dynamic_yarn": YarnScaling(),
}


@pytest.fixture(params=FILES)
def cases(request) -> list:
    """(name, strategy, geometry, factor, what the original computed)"""
    path = FILES[request.param]
    if not path.exists():
        pytest.skip(f"no {path.name} next to this checkout; its committed part is tested")
    return [
        (
            name,
            STRATEGIES[name],
            RopeGeometry(s["head_dim"], float(s["base"]), s["trained_length"]),
            float(scale),
            golden,
        )
        for s in json.loads(path.read_text())["settings"]
        for name in s["methods"].keys() & STRATEGIES.keys()
        for scale, golden in s["methods"][name].items()
    ]


def test_the_file_holds_something_of_every_static_method(cases):
    assert {name for name, *_ in cases} >= {"linear", "ntk", "part_ntk", "yarn", "by_parts"}


def test_inv_freq_and_attention_scale(cases):
    for name, strategy, geometry, factor, golden in cases:
        expected = torch.tensor(golden.get("inv_freq_effective", golden["inv_freq"]))
        expected *= golden.get("position_multiplier", 1.0)  # dynamic_linear scales positions
        inv_freq = strategy.inv_freq(geometry, factor)
        torch.testing.assert_close(inv_freq, expected, rtol=3e-7, atol=0, msg=lambda text, name=name: f"{name}: {text}")
        assert strategy.scale(geometry, factor) == pytest.approx(golden["attention_scaling"], rel=1e-12)


def test_ntk_base(cases):
    bases = [(s.scaled_base(g, factor), golden["effective_base"]) for n, s, g, factor, golden in cases if n == "ntk"]
    assert all(ours == pytest.approx(theirs, rel=1e-12) for ours, theirs in bases)


def test_cos_and_sin_rows(cases):
    rows = [(*case, int(position)) for case in cases for position in case[-1].get("cos", ())]
    assert rows
    for name, strategy, geometry, factor, golden, position in rows:
        angles = position * strategy.inv_freq(geometry, factor)
        scale = strategy.scale(geometry, factor)
        for turned, function in (("cos", torch.cos), ("sin", torch.sin)):
            expected = torch.tensor(golden[turned][str(position)])
            error = (function(angles) * scale - expected).abs().max().item()
            assert error < 5e-5, f"{name} {turned} at position {position}, factor {factor}"
