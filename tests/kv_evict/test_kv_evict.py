"""Laws of every rule of conf/kv_evict: a question sees what each layer keeps, where it stood, in the bytes it says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import DynamicCache, MistralConfig, MistralForCausalLM

from intpv.attention_kl.attention_kl import AttentionKL, subject, teacher_forced
from intpv.attention_kl.passes import grouped
from intpv.budget.none import NoBudget
from intpv.budget.random import RandomTokens
from intpv.compiler import broken_compiler
from intpv.errors import BadInput
from intpv.kv_evict.kv_evict import frames_and_places
from intpv.kv_evict.none import NoEvict
from intpv.kv_evict.random import RandomEvict
from intpv.kv_quant.kv_quant import NoQuant
from intpv.laws import laws_of
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.passes import Passes
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

CONF = Path(__file__).parents[2] / "conf"
RULES = sorted(file.stem for file in (CONF / "kv_evict").glob("*.yaml") if file.stem != "none")
PRESETS = sorted(file.stem for file in (CONF / "kv_quant").glob("*.yaml") if not file.stem.startswith("paper"))
FRAMES, TEXT, PER_FRAME, QUESTION = 32, 5, 5, "Did red flash?"
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def rule(name, tokens=47, **changes):
    if name == "random":  # its seed is the run's, which is not here
        return RandomEvict(tokens=tokens, **changes)
    return NoEvict() if name == "none" else option("kv_evict", name, tokens=tokens, **changes)


LAWS = [(name, law) for name in [*RULES, "none"] for law in laws_of("kv_evict", rule(name), tiny_model)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "law"), LAWS, ids=str)
def test_every_option_keeps_the_laws(name, law):
    assert law.judge()


def video_llm(of, kv=None, **changes):
    return VideoLLM(tiny_model(), Strided(), NoScaling(), kv or NoQuant(), 2, kv_evict=of, **changes)


def watched(llm, frames=FRAMES):
    return llm.watch(*clip(frames), "cat")


def of_preset(name, cap):
    return option("kv_quant", name), replace(cap, whole_frames=name == "temporal")


def hidden(context, rows):
    """Per layer, which tokens each token sees where the last `rows` do not see what it has lost."""
    length = context.layout.length
    for kept in context.packed.kept:
        seen = torch.ones(length + rows, length + rows, dtype=torch.bool).tril()
        seen[length:, :length] &= kept
        yield seen


def judged(llm, context, tokens, masks, **more):
    """The decoder itself on prefix and `tokens`, with a mask of its own in each layer."""
    features = llm.look(llm.model.preprocess.fit(clip(FRAMES)[0]), "cat")
    _, given = llm._prefix(features, clip(FRAMES)[1], "cat")
    model = llm.model.llm
    embeddings = torch.cat([given["inputs_embeds"], model.get_input_embeddings()(tokens)[None]], 1)
    positions = llm.rope_strategy.positions(context.layout.ask(len(tokens)), 1.0)
    hooks = []
    for layer, seen in zip(model.model.layers, masks, strict=True):

        def hide(_, args, kwargs, seen=seen):
            return args, {**kwargs, "attention_mask": torch.where(seen, 0.0, -torch.inf)[None, None]}

        hooks.append(layer.self_attn.register_forward_pre_hook(hide, with_kwargs=True))
    try:
        with torch.inference_mode():
            return model(
                inputs_embeds=embeddings,
                position_ids=positions.long(),
                attention_mask=torch.ones(1, embeddings.shape[1], dtype=torch.long),
                past_key_values=DynamicCache(),
                **more,
            )
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("budget", [NoBudget(), RandomTokens(keep=0.5)], ids=["whole", "budget"])
@pytest.mark.parametrize("name", RULES)
def test_a_question_sees_what_each_layer_keeps_at_its_positions(name, budget):
    llm = video_llm(rule(name), budget=budget)
    context = watched(llm)
    assert context.packed.kept.sum(1).tolist() == [47] * 3
    asked = llm._question_ids(QUESTION)
    (answer,) = llm.ask(context, [QUESTION])
    torch.testing.assert_close(
        answer.logits, judged(llm, context, asked, hidden(context, len(asked))).logits[0, -1], **CLOSE
    )


@pytest.mark.parametrize("name", RULES)
def test_text_always_stays_and_the_cap_is_used_up(name):
    context = watched(video_llm(rule(name, tokens=TEXT + 1)))
    text = torch.cat([torch.full((span.length,), not span.is_frame) for span in context.layout.spans])
    assert context.packed.kept[:, text].all()
    assert context.packed.kept.sum(1).tolist() == [TEXT + 1] * 3


@pytest.mark.parametrize("name", [*RULES, "none"])
def test_a_cap_above_the_prefix_is_no_eviction_to_the_bit(name):
    answers = []
    for of in (rule(name, tokens=TEXT + FRAMES * PER_FRAME), NoEvict()):
        llm = video_llm(of, option("kv_quant", "best2"))
        context = watched(llm)
        answers.append((context.packed.ledger(), llm.ask(context, [QUESTION])[0].logits, context.packed.kept))
    (ours, logits, kept), (plain, expected, _) = answers
    assert (ours, kept) == (plain, None)
    assert torch.equal(logits, expected)


@pytest.mark.slow
@pytest.mark.parametrize("kv", PRESETS)
@pytest.mark.parametrize("name", ["redundant", "random"])
def test_bytes_are_those_that_the_tensors_hold(name, kv):
    policy, cap = of_preset(kv, rule(name))
    llm = video_llm(cap, policy)
    context = watched(llm)
    packed, rules = context.packed, llm.packing_rules
    tensors = [tensor for layer in packed.layers for run in layer.runs for of in run.parts().values() for tensor in of]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    assert sum(storages.values()) == packed.ledger()["total"] == rules.nbytes(context.layout, packed.length)
    assert packed.full_precision_bytes == NoQuant().closed_form_bytes(
        layers=3, kv_heads=1, head_dim=32, length=context.layout.length, element_size=4
    )
    assert len(llm.ask(context, [QUESTION, "Did blue flash?"])) == 2


@pytest.mark.parametrize("kv", ["none", "int2", "best2", "temporal"])
def test_a_cap_in_bytes_is_kept_and_the_next_token_would_break_it(kv):
    policy, cap = of_preset(kv, rule("value_norm", tokens=None, bytes=9_000))
    llm = video_llm(cap, policy)
    packed = watched(llm).packed
    assert packed.ledger()["total"] <= 9_000
    step = PER_FRAME if cap.whole_frames else 1
    assert llm.packing_rules.nbytes(llm.prefix_layout(FRAMES), packed.length + step) > 9_000


@pytest.mark.parametrize("name", RULES)
def test_layers_are_cut_alike_as_they_come_or_all_at_once_and_in_passes(name):
    llm = video_llm(rule(name), option("kv_quant", "int8"))
    features = llm.look(llm.model.preprocess.fit(clip(FRAMES)[0]), "cat")
    read, whole = llm.read(features, clip(FRAMES)[1], "cat"), llm.pack(llm.prefill(features, clip(FRAMES)[1], "cat"))
    assert torch.equal(read.packed.kept, whole.packed.kept)
    assert torch.equal(*(llm.ask(one, [QUESTION])[0].logits for one in (read, whole)))
    parts = replace(llm, passes=Passes(prefill_tokens=32)).read(features, clip(FRAMES)[1], "cat")
    torch.testing.assert_close(llm.ask(parts, [QUESTION])[0].logits, llm.ask(read, [QUESTION])[0].logits, **CLOSE)


@pytest.mark.parametrize("name", RULES)
def test_cut_early_later_tokens_attend_to_what_is_left(name, monkeypatch):
    """The judge reads the prefix at once: each pass sees, beside itself, what the passes before it have left."""
    step, made = 24, rule(name, early=True)
    keep, held, left = type(made).keep, [], {}

    def recorded(self, layer, count):
        found = keep(self, layer, count)
        held.append(len(layer.tokens))
        left.setdefault(layer.index, []).append(layer.tokens[found])
        return found

    monkeypatch.setattr(type(made), "keep", recorded)
    llm = video_llm(made, option("kv_quant", "none"), passes=Passes(prefill_tokens=step))
    context = watched(llm)
    assert context.packed.kept.sum(1).tolist() == [47] * 3
    assert max(held) <= 47 + step
    asked, masks = llm._question_ids(QUESTION), []
    length = context.layout.length
    for layer in range(3):
        seen = torch.ones(length + len(asked), length + len(asked), dtype=torch.bool).tril()
        for start, tokens in zip([*range(step, length, step), length], left[layer], strict=True):
            lost = torch.ones(start, dtype=torch.bool).index_fill_(0, tokens, value=False)
            seen[start:, :start] &= ~lost
        masks.append(seen)
    (answer,) = llm.ask(context, [QUESTION])
    torch.testing.assert_close(answer.logits, judged(llm, context, asked, masks).logits[0, -1], **CLOSE)


@pytest.mark.parametrize("kv", ["int2", "best2"])
def test_what_was_cut_early_is_packed_in_as_many_bytes(kv):
    passes = Passes(prefill_tokens=24)
    llm = video_llm(rule("redundant", early=True), option("kv_quant", kv), passes=passes)
    context = watched(llm)
    assert context.packed.ledger() == watched(replace(llm, kv_evict=rule("redundant"))).packed.ledger()
    assert len(llm.ask(context, [QUESTION])) == 1
    features = llm.look(llm.model.preprocess.fit(clip(FRAMES)[0]), "cat")
    prefill = llm.prefill(features, clip(FRAMES)[1], "cat")
    with pytest.raises(BadInput, match=r"needs the whole prefix of 165 tokens, kv_evict\.early=true leaves 47"):
        AttentionKL().measure(llm, prefill, context, [QUESTION])


@pytest.mark.parametrize(
    "decode",
    [
        pytest.param("compiled", marks=pytest.mark.slow),  # builds its kernels
        pytest.param("triton", marks=pytest.mark.gpu),
    ],
)
@pytest.mark.parametrize("kv", ["int4", "best2", "temporal"])
def test_every_decode_path_reads_what_is_kept(kv, decode):
    """Keys before RoPE, of a table for each layer, among them."""
    broken_compiler.cache_clear()  # another test may have tried it while it counted operations, where nothing compiles
    torch.compiler.reset()  # what was once left uncompiled stays so
    policy, cap = of_preset(kv, rule("redundant"))
    logits = []
    for path in ("eager", decode):
        llm = video_llm(cap, replace(policy, decode=path))
        if decode == "triton":
            llm.model.llm.cuda()
            llm.model.encoder.cuda()
        logits.append(llm.ask(watched(llm), [QUESTION])[0].logits.cpu())
    torch.testing.assert_close(*logits, atol=1e-3, rtol=1e-3)


def test_attention_kl_knows_what_is_lost():
    """The judge is the attention of transformers' own decoder, eager, to the whole prefix."""
    llm = video_llm(rule("value_norm"))
    features = llm.look(llm.model.preprocess.fit(clip(FRAMES)[0]), "cat")
    prefill = llm.prefill(features, clip(FRAMES)[1], "cat")
    context = llm.pack(prefill)
    measured, answers = AttentionKL(floors=False).measure(llm, prefill, context, [QUESTION])
    (rows,) = teacher_forced(llm, [QUESTION], answers)
    whole = replace(context, packed=replace(context.packed, kept=torch.ones_like(context.packed.kept)))
    llm.model.llm.set_attn_implementation("eager")
    attention = judged(llm, whole, rows, hidden(whole, len(rows)), output_attentions=True).attentions
    length = context.layout.length
    local = measured.sums["local"]
    for layer, (given, kept) in enumerate(zip(attention, context.packed.kept, strict=True)):
        to_prefix = given[0, :, length:, :length].double()
        expected = to_prefix[..., ~kept].sum(-1).mean(1)
        torch.testing.assert_close(local.mean("lost_mass")[layer], expected, **CLOSE)
        assert (local.mean("kl/all")[layer] < 1e-5).all()  # on what is kept, the same keys
    # of the first layer alone queries are the same: each model's mass on frames
    sums = grouped(*(subject(replace(llm, kv_evict=of), one, 4) for of, one in _both(llm, prefill, context)), [rows])
    frames = torch.cat([torch.full((span.length,), span.is_frame) for span in context.layout.spans])
    left = attention[0][0, :, length:].double()
    left[..., :length] *= context.packed.kept[0]
    left /= left.sum(-1, keepdim=True)
    torch.testing.assert_close(
        sums.mean("video_mass/modified")[0], left[..., :length][..., frames].sum(-1).mean(1), **CLOSE
    )


def test_the_mass_that_tells_what_stays_is_that_of_transformers_own_attention():
    observers, of = 9, rule("attention_mass", observers=9)
    llm = video_llm(of)
    context = watched(llm)
    whole = torch.ones(3, context.layout.length, dtype=torch.bool)
    llm.model.llm.set_attn_implementation("eager")
    masks = [torch.ones(whole.shape[1] + 1, whole.shape[1] + 1, dtype=torch.bool).tril()] * 3
    attention = judged(llm, context, llm._question_ids(QUESTION)[:1], masks, output_attentions=True).attentions
    frames = frames_and_places(context.layout)[0]
    for given, kept in zip(attention, context.packed.kept, strict=True):
        rows = given[0].mean(0)[-1 - observers : -1, :-1].double()
        mass = rows.sum(0) / (rows > 0).sum(0)
        left, lost = mass[kept & (frames >= 0)], mass[~kept]
        assert left.min() >= lost.max() - 1e-6
        assert left.sum() > 1.2 * mass[frames >= 0].sort().values[: len(left)].sum()  # not any 42 would do


def _both(llm, prefill, context):
    return (NoEvict(), replace(llm, kv_evict=NoEvict()).pack(prefill)), (llm.kv_evict, context)


def test_visual_rows_are_refused_with_both_numbers():
    llm = video_llm(rule("window"))
    features = llm.look(llm.model.preprocess.fit(clip(FRAMES)[0]), "cat")
    prefill = llm.prefill(features, clip(FRAMES)[1], "cat")
    with pytest.raises(BadInput, match=r"visual_rows=2 .* keeps 47 of 165 tokens \(kv_evict\)"):
        AttentionKL(visual_rows=2).measure(llm, prefill, llm.pack(prefill), [QUESTION])


def test_a_layer_that_counts_tokens_in_a_window_is_refused_by_name():
    model = tiny_model()
    config = MistralConfig(**{**model.llm.config.to_dict(), "sliding_window": 16, "model_type": "mistral"})
    with pytest.raises(BadInput, match=r"kv_evict=window leaves each layer tokens of its own, tiny .* window of 16"):
        replace(video_llm(rule("window")), model=replace(model, llm=MistralForCausalLM(config).eval()))


def test_attention_that_tells_no_queries_is_refused_by_name():
    model = tiny_model()
    model.llm.set_attn_implementation("eager")
    with pytest.raises(BadInput, match=r"kv_evict=attention_mass looks at queries, .*; eager reads tiny's"):
        replace(video_llm(rule("window")), model=model, kv_evict=rule("attention_mass"))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("window", {"tokens": 0}, "kv_evict.tokens must be a whole number of at least 1 or null, got 0"),
        ("window", {"bytes": 9}, "takes one cap, kv_evict.tokens or kv_evict.bytes, the other null, got 47 and 9"),
        ("window", {"tokens": None}, "takes one cap, .* got null and null"),
        ("window", {"early": True, "whole_frames": True}, "whole_frames=true needs whole frames, .*early=true cuts"),
        ("window", {"sinks": -1}, "kv_evict.sinks must be a whole number of at least 0, got -1"),
        ("redundant", {"recent": 0}, "kv_evict.recent must be above 0 and at most 1, .* got 0"),
        ("attention_mass", {"observers": 0}, "kv_evict.observers must be a whole number of at least 1, got 0"),
        ("random", {"seed": -1}, "kv_evict.seed must be a whole number of at least 0, got -1"),
    ],
)
def test_settings_that_nothing_can_be_made_of_are_refused(name, changes, said):
    with pytest.raises(BadInput, match=said):
        replace(rule(name), **changes)


@pytest.mark.parametrize(
    ("cap", "more", "said"),
    [
        ({"tokens": 4}, {}, "kv_evict.tokens must be at least the prefix' text, 5, got 4"),
        ({"tokens": 9, "whole_frames": True}, {}, "must be at least the prefix' text and a frame, 10, got 9"),
        (
            {"tokens": None, "bytes": 3839},
            {},
            "kv_evict.bytes must be .* the prefix' text, 3840 for 5 tokens, got 3839",
        ),
        (
            {"whole_frames": True},
            {"budget": RandomTokens(keep=0.3)},
            r"needs frames of one length, got \d and \d tokens",
        ),
        ({"early": True}, {}, "kv_evict.early=true cuts after every pass .*, got passes.prefill_tokens=null"),
        ({}, {"kv": "temporal"}, "temporal groups need whole frames, kv_evict=window keeps tokens"),
        ({}, {"rope": "self_extend"}, "kv_evict=window goes with one rotation of all keys, rope_strategy=self_extend"),
    ],
)
def test_what_does_not_go_together_is_refused_with_both(cap, more, said):
    more = {**more}
    kv, rope = option("kv_quant", more.pop("kv", "none")), option("rope_strategy", more.pop("rope", "none"))
    with pytest.raises(BadInput, match=said):
        watched(replace(video_llm(rule("window", **cap), kv, **more), rope_strategy=rope))
