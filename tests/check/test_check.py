"""Each way to break a model makes its own check fail, and no other; a sound one passes them all."""

import pytest

from intpv.check.check import check
from intpv.check.finding import FAIL, OK, REFUSED, SKIPPED, Finding
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.rope_strategy.yarn import YarnScaling

from ..model.families import BUILDERS, family
from ..tiny import tiny_model
from .broken import BROKEN, nan

STRATEGIES = {
    "none": NoScaling(),
    "linear": LinearScaling(),
    "yarn": YarnScaling(),
    "visual_only": VisualOnlyScaling(),
}
POLICIES = {"none": NoQuant(), "int2": KVQuant(bits=2, key_group=32, value_group=32)}


def findings(model, rearranger=None, strategies=None, policies=None, stated=None) -> dict:
    made = check(model, rearranger or Strided(), strategies or STRATEGIES, policies or POLICIES, stated or {})
    return {one.name: one for one in made}


def failed(found: dict) -> set[str]:
    return {name for name, one in found.items() if one.verdict == FAIL}


@pytest.mark.parametrize("kind", ["languagebind", "per_frame"])
def test_a_sound_model_passes(kind):
    found = findings(tiny_model(kind), stated={"dtype": "float32", "device": "cpu"})
    assert {one.verdict for one in found.values()} == {OK}
    assert all(len(str(one).splitlines()) == 1 for one in found.values())


@pytest.mark.parametrize("name", ["BOS", "rope_strategy=parallel_windows", "kv_quant=" + "x" * 40])
def test_a_line_keeps_its_parts_apart_whatever_the_name(name):
    assert str(Finding(SKIPPED, name, "said")).split() == [SKIPPED, name, "said"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [build.__name__ for build in BUILDERS])
def test_every_adapter_passes(name):
    model = family(name).model
    assert failed(findings(model, stated={"trained_visual_length": model.trained_visual_length})) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_fails_its_own_check_alone(name):
    make, expected = BROKEN[name]
    assert failed(findings(make())) == expected


class Lenient(Strided):
    """Takes any number of frames, and leaves some out."""

    def order(self, num_frames, group_length, video_id=""):
        return super().order(max(num_frames // group_length, 1) * group_length, group_length, video_id)


class Twice(Strided):
    """Shows the first frame of all in every place."""

    def table(self, m, n, video_id):
        return super().table(m, n, video_id) * 0


class Squeezed(RopeStrategy):
    """Not the identity at factor 1."""

    def positions(self, layout, factor):
        return super().positions(layout, factor) / 2


class Miscounted(KVQuant):
    def closed_form_bytes(self, **sizes):
        return super().closed_form_bytes(**sizes) + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"rearranger": Lenient()}, "frames refused"),
        ({"rearranger": Twice()}, "group length"),
        ({"strategies": {"squeezed": Squeezed()}}, "rope_strategy=squeezed"),
        ({"policies": {"odd": Miscounted(bits=2, key_group=32, value_group=32)}}, "kv_quant=odd"),
        ({"stated": {"dtype": "bfloat16"}}, "dtype"),
        ({"stated": {"device": "meta"}}, "device"),
        ({"stated": {"trained_visual_length": 99}}, "trained_visual_length"),
    ],
)
def test_what_the_configuration_gets_wrong_fails_its_own_check_alone(choice, expected):
    assert failed(findings(tiny_model(), **choice)) == {expected}


def test_a_policy_that_does_not_go_with_the_model_is_refused_with_its_reason():
    found = findings(tiny_model(), policies={"wide": KVQuant(bits=2, key_group=32, value_group=48)})
    assert found["kv_quant=wide"].verdict == REFUSED
    assert "must divide the head dim 32, got 48" in found["kv_quant=wide"].said
    assert failed(found) == set()


def test_what_needs_a_part_that_failed_is_skipped_and_counted():
    every, found = findings(tiny_model()), list(findings(nan()).values())
    assert [one.verdict for one in found] == [FAIL, SKIPPED]
    assert found[1].name == f"{len(every) - 1} checks"


def test_half_precision_passes():
    model = tiny_model()
    model.llm.bfloat16(), model.encoder.bfloat16()
    model.rotary.inv_freq = tiny_model().rotary.inv_freq  # as loaders leave it: a table, not a weight
    assert failed(findings(model, stated={"dtype": "bfloat16"})) == set()
