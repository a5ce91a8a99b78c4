"""Each way to break an option fails its own law, with the figure; what is sound is in the tests of its group."""

from dataclasses import dataclass, replace

import pytest
import torch
from transformers.models.llama import modeling_llama

from intpv.budget.budget import Budget, Kept
from intpv.budget.frame_tokens import KeptParts
from intpv.check.finding import FAIL, SKIPPED, findings
from intpv.data.benchmark import Benchmark, Question, VideoItem
from intpv.errors import BadInput
from intpv.kv_evict.window import WindowEvict
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.laws import laws_of
from intpv.layout import AXES
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.scorer.scorer import Score, Scorer

from ..tiny import tiny_model


def broken(base, **members):
    """An object of a subclass."""
    return type("Broken", (base,), members)()


def failed(group: str, option) -> dict[str, str]:
    """Law -> what it says, of those that fail; without the one that takes seconds."""
    made = list(findings([law for law in laws_of(group, option, tiny_model) if law.name != "every kv_quant"]))
    assert {one.verdict for one in made} <= {"ok", "refused", FAIL, SKIPPED}
    return {one.name: one.said for one in made if one.verdict == FAIL}


def table(strategy, geometry, factor):
    return RopeStrategy.inv_freq(strategy, geometry, factor)


def where(condition, x, y):
    return torch.where(torch.as_tensor(condition), x, y)


def shifted(layout, factor):
    """A prefix that knows whether it is asked."""
    asked = layout.question_start is not None
    return RopeStrategy().positions(layout, factor) * (1 + (factor > 1) * asked)


def ends(layout, factor):
    """All positions depend on how many tokens there are."""
    return RopeStrategy().positions(layout, factor) / (1 + (factor > 1) * layout.length)


STRATEGIES = {
    "wrong shape": (
        {"inv_freq": lambda self, geometry, factor: table(self, geometry, factor).repeat(2)},
        {"frequencies": r"Broken.inv_freq must be (d/2,) = (64,) numbers, got (128,) at factor 1"},
    ),
    "no tensor": (
        {"inv_freq": lambda self, geometry, factor: [1.0] * (geometry.head_dim // 2)},
        {"frequencies": "Broken.inv_freq must be (d/2,) = (64,) numbers, got list at factor 1"},
    ),
    "negative": (
        {"inv_freq": lambda self, geometry, factor: table(self, geometry, factor) - 0.5 * (factor > 1)},
        {"frequencies": "rad per token in channel 5 at factor 1.5"},
    ),
    "not a number": (
        {
            "inv_freq": lambda self, geometry, factor: (
                table(self, geometry, factor) * (float("nan") if factor > 4 else 1)
            )
        },
        {"frequencies": "got nan rad per token in channel 0 at factor 7.3"},
    ),
    "cold": (
        {"attention_scale": lambda self, factor: 2.0 - factor},
        {"frequencies": "Broken.attention_scale must be finite and above 0, got -2 at factor 4"},
    ),
    "flat positions": (
        {"positions": lambda self, layout, factor: RopeStrategy().positions(layout, factor)[0]},
        {"positions and angles": "Broken.positions must be (A, S) = (1, 46) numbers, got (46,) at factor 1"},
    ),
    "float64": (
        {"angles": lambda self, layout, geometry, factor: RopeStrategy().angles(layout, geometry, factor).double()},
        {"positions and angles": "angles are torch.float64, must be torch.float32"},
    ),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_that_nothing_can_be_rotated_by_fails_one_law_and_skips_the_rest(name):
    members, expected = STRATEGIES[name]
    said = failed("rope_strategy", broken(RopeStrategy, **members))
    assert said.keys() == expected.keys()
    for law, text in expected.items():
        assert text in said[law]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "laws"),
    [
        ({"inv_freq": lambda self, geometry, factor: table(self, geometry, factor) / 2}, {"identity at factor 1"}),
        ({"positions": lambda self, layout, factor: shifted(layout, factor)}, {"prefix without question"}),
        (
            {"positions": lambda self, layout, factor: ends(layout, factor)},
            {"positions in order", "question in two pieces"},
        ),
    ],
)
def test_a_strategy_that_breaks_a_law_fails_it(members, laws):
    assert laws <= failed("rope_strategy", broken(RopeStrategy, **members)).keys()


def patched(strategy, geometry, factor):
    """As strategies are patched into transformers elsewhere; once, so that a second look would not show it."""
    plain = modeling_llama.apply_rotary_pos_emb
    if factor > 1 and plain.__module__ != __name__:

        def warmer(q, k, *rest):
            return plain(1.5 * q, k, *rest)

        modeling_llama.apply_rotary_pos_emb = warmer
    return table(strategy, geometry, factor) / factor


def test_a_strategy_that_does_not_restore_is_told_what_it_changes(monkeypatch):
    monkeypatch.setattr(modeling_llama, "apply_rotary_pos_emb", modeling_llama.apply_rotary_pos_emb)
    said = failed("rope_strategy", broken(RopeStrategy, inv_freq=patched))
    assert said.keys() == {"restored"}
    assert "Broken changes transformers.models.llama.modeling_llama.apply_rotary_pos_emb" in said["restored"]


def needs_axes(strategy, geometry, factor):
    if geometry.axes:
        raise BadInput(f"Broken takes one axis, got {len(AXES)}")
    return table(strategy, geometry, factor) / factor


def test_a_strategy_may_refuse_m_rope():
    laws = laws_of("rope_strategy", broken(RopeStrategy, inv_freq=needs_axes), tiny_model)
    (found,) = findings([law for law in laws if law.name == "M-RoPE"])
    assert (found.verdict, found.said) == ("refused", "Broken takes one axis, got 3")


@pytest.mark.parametrize(
    ("members", "law"),
    [
        ({"table": lambda self, m, n, video: Strided().table(m, n, video) * 0}, "every frame is shown"),
        ({"merge": lambda self, tokens, order: tokens.flatten(0, 1)}, "merge undoes split"),
        ({"order": lambda self, f, n, video="": Strided().order(max(f // n, 1) * n, n)}, "other counts refused"),
        ({"split": lambda self, frames, order: frames[order.flip(0)]}, "rows are groups"),
    ],
)
def test_a_rearranger_that_breaks_a_law_fails_it(members, law):
    assert law in failed("rearranger", broken(Strided, **members))


@dataclass(frozen=True)
class Lossy(NoQuant):
    """Forgets what it is given."""

    def packing(self, layout, angles, layers, origin=None):
        made = super().packing(layout, angles, layers, origin)
        return replace(made, store=lambda layer, keys, *rest: made.store(layer, keys * 0, *rest))


@dataclass(frozen=True, kw_only=True)
class Miscounted(KVQuant):
    def closed_form_bytes(self, **sizes):
        return super().closed_form_bytes(**sizes) + 1


def test_a_policy_that_breaks_a_law_fails_it():
    assert failed("kv_quant", Lossy()).keys() == {"tokens in order"}
    assert failed("kv_quant", Miscounted(bits=2, key_group=32, value_group=32)).keys() == {"bytes"}


FIRST = {
    "reduce": lambda self, tokens, video: Kept(tokens[:, 0]),
    "expected": lambda self, frames, per_frame: [(0,)] * frames,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "law", "said"),
    [
        (
            {"reduce": lambda self, tokens, video: Kept(tokens[::2, 0])},
            "as many as expected",
            "tokens left 16, expected 32",
        ),
        (
            {"expected": lambda self, frames, per_frame: [(per_frame,)] * frames},
            "in order of time",
            "frame 0 has places",
        ),
        (
            {"reduce": lambda self, tokens, video: Kept(torch.rand_like(tokens[:, 0]))},
            "same video, same tokens",
            "leaves other tokens",
        ),
        (
            {"reduce_parts": lambda self, video, name: KeptParts.by_part(video, lambda part, tokens: tokens[:, 1])},
            "some frames at a time",
            "3 frames at a time leave tokens",
        ),
        (
            {"reduce_parts": lambda self, video, name: KeptParts.by_part(video, lambda part, tokens: tokens[1:, 0])},
            "some frames at a time",
            "3 frames at a time leave other tokens than all 32",
        ),
        ({"reduce": lambda self, tokens, video: Kept(tokens[:, 0, :5])}, "watched by the model", "RuntimeError"),
    ],
)
def test_a_budget_that_breaks_a_law_fails_it(members, law, said):
    assert not failed("budget", broken(Budget, **FIRST))
    assert said in failed("budget", broken(Budget, **{**FIRST, **members}))[law]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "law", "said"),
    [
        ({"keep": lambda self, layer, count: layer.tokens[:count]}, "cap and text are kept", "42, got 47"),
        ({"keep": lambda self, layer, count: layer.tokens[-count - 5 :]}, "cap and text are kept", "text is evicted"),
        (
            {"scores": lambda self, layer: torch.rand(len(layer.tokens))},
            "same video, same tokens",
            "leaves other tokens",
        ),
    ],
)
def test_an_eviction_that_breaks_a_law_fails_it(members, law, said):
    cap = {"tokens": 47}
    assert said in failed("kv_evict", type("Broken", (WindowEvict,), members)(**cap))[law]


def test_an_eviction_that_evicts_nothing_is_told_to_be_tried_lower():
    (said, *_) = [law.judge for law in laws_of("kv_evict", WindowEvict(tokens=9999), tiny_model)]
    with pytest.raises(BadInput, match=r"cap is above the prefix that it is tried on, 165 tokens: lower it"):
        said()


def test_a_scorer_that_breaks_a_law_fails_it():
    assert failed("scorer", broken(Scorer, score=lambda self, said, asked: Score(True, True))).keys() == {
        "others are wrong"
    }
    assert "answer is right" in failed("scorer", broken(Scorer, score=lambda self, said, asked: Score(False, True)))


def test_a_benchmark_that_breaks_a_law_fails_it():
    asked = Question("a/0", "open", "What is it?", (), "a cat")
    gone = broken(Benchmark, name="gone", items=lambda self: [VideoItem("a", "/no/where.mp4", (asked,))])
    assert failed("data", gone) == {"files": "1 of 1 videos are no files: /no/where.mp4"}
    assert failed("data", broken(Benchmark, name="none", items=lambda self: [])).keys() == {"items"}
    two = replace(asked, options=("a cat", "A cat."))  # which letters cannot tell apart
    other = broken(Benchmark, name="other", items=lambda self: [VideoItem("a", __file__, (two,))])
    assert failed("data", other) == {"answers": "1 of 1 are wrong word for word, a/0: a cat"}


def test_groups_without_laws_are_refused():
    with pytest.raises(
        BadInput,
        match="there are laws of rope_strategy, rearranger, kv_quant, budget, kv_evict, data, scorer, got logger",
    ):
        laws_of("logger", None)
