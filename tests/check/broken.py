"""Models that are broken, each in one way, and the checks that must say so."""

import copy
from dataclasses import replace

from intpv.encoder.languagebind import LanguageBind
from intpv.model.model import Prompt

from ..tiny import PROMPT, tiny_model

MOVING = {"rope_strategy=linear", "rope_strategy=yarn", "rope_strategy=visual_only"}  # touch the module at factor 4


def with_encoder(kind: str = "languagebind", **members):
    """The tiny model, its encoder of a class of its own."""
    model = tiny_model(kind)
    model.encoder.__class__ = type("Broken", (type(model.encoder),), members)
    return model


def nan():
    model = tiny_model()
    model.llm.lm_head.weight[3, 4] = float("nan")
    return model


class Unchecked(Prompt):
    """Takes any text: what a prompt of another class might let through."""

    def __post_init__(self) -> None:
        pass


def prompted(before=PROMPT.before_video, ask=PROMPT.ask):
    return replace(tiny_model(), prompt=Unchecked(before, "", ask))


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
    """Layers that rotate by a table of their own, from the second on."""
    model = tiny_model()
    own = copy.deepcopy(model.rotary)

    def forward(layer, given, named):
        return given, {**named, "position_embeddings": own(given[0], named["position_ids"])}

    for layer in model.decoder.layers[1:]:
        layer.register_forward_pre_hook(forward, with_kwargs=True)
    return model


def copying(module, name, value):
    parent = super(type(module), module)
    parent.__setattr__(name, value)
    if name == "forward":
        parent.__setattr__("inv_freq", module.inv_freq.clone())


def changed():
    model = tiny_model()
    model.rotary.inv_freq = model.rotary.inv_freq / 2
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
    "a table that is not its config's": (changed, {"watch"}),
    "a table of its own": (deaf, {"angles of linear", "angles of yarn", "angles of visual_only"}),
    "a table that is copied": (lambda: with_rotary(__setattr__=copying), {*MOVING, "rope_strategy=none"}),
    "attention of its own": (fixed_attention, {"one plain forward"}),
    "a memory of questions": (remembering, {"prefix without question"}),
}
