"""Each way to break a model makes its own check fail, and no other; a sound one passes them all."""

import copy
from dataclasses import replace

import pytest
import torch

from intpv.check.check import check
from intpv.check.finding import FAIL, OK, REFUSED, SKIPPED
from intpv.encoder.languagebind import LanguageBind
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.model.prompt import Prompt
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.rope_strategy.yarn import YarnScaling

from ..model.families import BUILDERS, family
from ..tiny import PROMPT, tiny_model

STRATEGIES = {
    "none": NoScaling(),
    "linear": LinearScaling(),
    "yarn": YarnScaling(),
    "visual_only": VisualOnlyScaling(),
}
POLICIES = {"none": NoQuant(), "int2": KVQuant(bits=2, key_group=32, value_group=32)}
MOVING = {"rope_strategy=linear", "rope_strategy=yarn", "rope_strategy=visual_only"}  # touch the module at factor 4


def findings(model, rearranger=None, strategies=None, policies=None, stated=None) -> dict:
    made = check(model, rearranger or Strided(), strategies or STRATEGIES, policies or POLICIES, stated or {})
    return {one.name: one for one in made}


def failed(found: dict) -> set[str]:
    return {name for name, one in found.items() if one.verdict == FAIL}


def with_encoder(kind: str = "languagebind", **members):
    """The tiny model, its encoder of a class of its own."""
    model = tiny_model(kind)
    model.encoder.__class__ = type("Broken", (type(model.encoder),), members)
    return model


@pytest.mark.parametrize("kind", ["languagebind", "per_frame"])
def test_a_sound_model_passes(kind):
    found = findings(tiny_model(kind), stated={"dtype": "float32", "device": "cpu"})
    assert {one.verdict for one in found.values()} == {OK}
    assert all(len(str(one).splitlines()) == 1 for one in found.values())


@pytest.mark.parametrize("name", [build.__name__ for build in BUILDERS])
def test_every_adapter_passes(name):
    model = family(name).model
    assert failed(findings(model, stated={"trained_visual_length": model.trained_visual_length})) == set()


def nan():
    model = tiny_model()
    model.llm.lm_head.weight[3, 4] = float("nan")
    return model


def prompted(before=PROMPT.before_video, ask=PROMPT.ask):
    return replace(tiny_model(), prompt=Prompt(before, "", ask))


def other_eos():
    model = tiny_model()
    model.tokenizer.eos_token = "red"
    return model


def fixed_attention():
    """A decoder that attends by a function of its own, whatever it is told: questions do not see the prefix."""
    model = tiny_model()
    for layer in model.decoder.layers:
        layer.self_attn.config = copy.deepcopy(layer.self_attn.config)
    return model


def remembering():
    """A decoder that keeps something of the last question, as rope_deltas are kept in some."""
    model, kept = tiny_model(), [0.0]

    def forward(module, given, named):
        if named.get("input_ids") is not None:
            kept[0] = named["input_ids"].float().mean() / 100
            return None
        return given, {**named, "inputs_embeds": named["inputs_embeds"] + kept[0]}

    model.decoder.register_forward_pre_hook(forward, with_kwargs=True)
    return model


def with_rotary(**members):
    model = tiny_model()
    model.rotary.__class__ = type("Rotary", (type(model.rotary),), members)
    return model


def deaf():
    """A rotary module that turns by a table of its own."""
    model = tiny_model()
    own, plain = copy.deepcopy(model.rotary), type(model.rotary).forward
    model.rotary.forward = lambda x, position_ids: plain(own, x, position_ids)
    return model


def copying(module, name, value):
    parent = super(type(module), module)
    parent.__setattr__(name, value.clone() if isinstance(value, torch.Tensor) else value)


def dynamic():
    model = tiny_model()
    model.rotary.rope_type = "dynamic"
    return model


def leaking(encoder, groups):
    """Groups see each other."""
    features = LanguageBind.look(encoder, groups)
    return features + features.mean(0, keepdim=True)


BROKEN = {
    "nan": (nan, {"weights finite"}),
    "empty prompt": (lambda: prompted(ask=" "), {"prompt"}),
    "question left out": (lambda: prompted(ask="USER: Did red flash? ASSISTANT:"), {"prompt"}),
    "unknown words": (lambda: prompted("Zebra video:"), {"words known"}),
    "BOS twice": (lambda: prompted("<s> Watch the video:"), {"BOS"}),
    "another EOS": (other_eos, {"EOS"}),
    "flat groups": (
        lambda: with_encoder(look=lambda encoder, groups: LanguageBind.look(encoder, groups).flatten(0, 1)[None]),
        {"group length"},
    ),
    "groups that see each other": (lambda: with_encoder(look=leaking), {"groups alone"}),
    "time mixed in secret": (lambda: with_encoder(mixes_time=False), {"mixes_time"}),
    "time mixed in words": (lambda: with_encoder("per_frame", mixes_time=True), {"mixes_time"}),
    "a token too many": (lambda: with_encoder(tokens_per_frame=property(lambda encoder: 6)), {"tokens per frame"}),
    "another length": (lambda: with_encoder(trained_visual_length=property(lambda _: 41)), {"trained_visual_length"}),
    "a table that moves": (dynamic, {"watch"}),
    "a table of its own": (deaf, {"rope_strategy=linear", "rope_strategy=yarn"}),  # visual_only changes positions
    "a table that is copied": (lambda: with_rotary(__setattr__=copying), MOVING),
    "attention of its own": (fixed_attention, {"one plain forward"}),
    "a memory of questions": (remembering, {"prefix without question"}),
}


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
