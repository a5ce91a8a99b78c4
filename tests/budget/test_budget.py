"""Laws of every budget of conf/budget: what is left is what it says, and stands where it says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import DynamicCache

from intpv.budget.budget import Budget, Kept, ShareBudget
from intpv.budget.frame_tokens import FrameTokens
from intpv.budget.none import NoBudget
from intpv.budget.random import RandomTokens
from intpv.cost.memory import counting
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import NoQuant
from intpv.laws import laws_of
from intpv.layout import Span
from intpv.options import option
from intpv.rearranger.random import Random
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.strategy import counts
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.video_llm.passes import Passes
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

FRAMES, PER_FRAME, WIDTH = 16, 5, 64
SMALL = {"pool": {"grid": [1, 1]}, "downsample": {"side": 1}}  # of the tiny model's 2 x 2 patches
CONF = Path(__file__).parents[2] / "conf"
OPTIONS, ORDERS = (sorted(file.stem for file in (CONF / group).glob("*.yaml")) for group in ("budget", "rearranger"))
THIN = [name for name in OPTIONS if name != "none"]


def budget(name, **changes):
    made = RandomTokens() if name == "random" else option("budget", name)  # its seed is the run's, which is not here
    return replace(made, **{**SMALL.get(name, {}), **changes})


def tokens(frames=FRAMES, per_frame=PER_FRAME, seed=0):
    return torch.randn(frames, per_frame, WIDTH, generator=torch.Generator().manual_seed(seed))


def video_llm(of, rope=None, kv=None):
    return VideoLLM(tiny_model(), Strided(), rope or NoScaling(), kv or NoQuant(), 2, budget=of)


def watched(llm, frames=FRAMES):
    pixels, times = clip(frames)
    return llm.watch(pixels, times, "cat")


LAWS = [(name, law) for name in OPTIONS for law in laws_of("budget", budget(name), tiny_model)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "law"), LAWS, ids=str)
def test_every_option_keeps_the_laws(name, law):
    assert law.judge()


@pytest.mark.parametrize("positions", ["keep", "pack"])
@pytest.mark.parametrize("name", THIN)
def test_the_decoder_reads_what_is_left_at_its_positions(name, positions):
    """The judge is the model itself, given the embeddings of the prefix and their positions, and a question behind."""
    llm = video_llm(budget(name, positions=positions))
    context, question = watched(llm), "Did red flash?"
    asked = llm._question_ids(question)
    whole = video_llm(NoBudget()).prefix_layout(FRAMES)
    text = sum(span.length for span in whole.spans if not span.is_frame)
    features = llm.look(llm.model.preprocess.fit(clip(FRAMES)[0]), "cat")
    _, given = llm._prefix(features, clip(FRAMES)[1], "cat")
    embeddings = torch.cat([given["inputs_embeds"], llm.model.llm.get_input_embeddings()(asked)[None]], 1)
    kept = llm.budget.reduce(llm.tokens(features, "cat"), "cat")
    places = kept.places or llm.budget.expected(FRAMES, PER_FRAME)
    visual = [frame * PER_FRAME + place for frame, of in enumerate(places) for place in of]
    if positions == "pack":
        visual = list(range(len(visual)))
    behind = text + (FRAMES * PER_FRAME if positions == "keep" else len(visual))
    at = [*range(text), *(text + place for place in visual), *range(behind, behind + len(asked))]
    assert len(at) == embeddings.shape[1] == context.layout.length + len(asked)
    with torch.inference_mode():
        judged = llm.model.llm(
            inputs_embeds=embeddings,
            position_ids=torch.tensor([at]),
            attention_mask=torch.ones(1, len(at), dtype=torch.long),
            past_key_values=DynamicCache(),
        )
    (answer,) = llm.ask(context, [question])
    torch.testing.assert_close(answer.logits, judged.logits[0, -1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in OPTIONS if isinstance(budget(name), ShareBudget)])
def test_keeping_all_is_no_budget_to_the_bit(name):
    answers = []
    for of in (budget(name, keep=1), NoBudget()):
        llm = video_llm(of, VisualOnlyScaling())
        context = watched(llm)
        answers.append((context.layout, llm.ask(context, ["Did red flash?"])[0].logits))
    (ours, logits), (plain, expected) = answers
    assert ours == plain
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("name", [name for name in OPTIONS if isinstance(budget(name), ShareBudget)])
def test_a_bound_in_tokens_holds_for_every_length(name):
    bounded = budget(name, keep=1, tokens=40)
    left = [len(bounded.reduce(tokens(frames), "cat").tokens) for frames in (8, 16, 64)]
    assert left == [40, 40, 40]
    assert len(bounded.reduce(tokens(4), "cat").tokens) == 20
    assert torch.equal(
        bounded.reduce(tokens(), "cat").tokens,
        budget(name, keep=40 / (FRAMES * PER_FRAME)).reduce(tokens(), "cat").tokens,
    )


@pytest.mark.parametrize("name", THIN)
def test_the_factor_is_of_the_positions_that_are_taken(name):
    """Kept positions span the whole video; packed ones only what is left of it."""
    kept, packed = (watched(video_llm(budget(name, positions=one), VisualOnlyScaling())) for one in ("keep", "pack"))
    assert kept.factor == FRAMES / 8
    assert packed.factor == max(1, packed.layout.visual_length / (8 * PER_FRAME))
    assert kept.layout.visual_length == packed.layout.visual_length < FRAMES * PER_FRAME


@pytest.mark.parametrize("kv", ["int8", "int2", "best2"])
@pytest.mark.parametrize("name", ["drop_repeated", "pool"])
def test_what_is_left_is_quantised_like_any_prefix(name, kv):
    llm = video_llm(budget(name), VisualOnlyScaling(), option("kv_quant", kv))
    context = watched(llm)
    plain = watched(replace(llm, kv_quant=NoQuant()))
    assert context.packed.ledger()["total"] < plain.packed.ledger()["total"]
    assert len(llm.ask(context, ["Did red flash?", "Did blue flash?"])) == 2


@pytest.mark.slow
@pytest.mark.parametrize("passes", [Passes(prefill_tokens=11), Passes(tower_frames=8)], ids=["3 frames", "8 frames"])
@pytest.mark.parametrize("rearranger", ORDERS)
@pytest.mark.parametrize("name", OPTIONS)
def test_the_decoder_is_given_in_passes_what_it_is_given_at_once(name, rearranger, passes):
    order = Random() if rearranger == "random" else option("rearranger", rearranger)  # its seed is the run's
    llm, (pixels, times) = replace(video_llm(budget(name)), rearranger=order), clip(FRAMES)
    features = llm.look(pixels, "cat")
    rotation, expected = llm._prefix(features, times, "cat")
    in_passes, given = replace(llm, passes=passes)._given(features, times, "cat")
    assert in_passes.layout == rotation.layout
    parts = [given(run)["inputs_embeds"] for run in passes.runs(rotation.layout.length)]
    torch.testing.assert_close(torch.cat(parts, 1), expected["inputs_embeds"], atol=1e-6, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OPTIONS if isinstance(budget(name), ShareBudget)])
def test_a_longer_video_needs_a_few_numbers_more_for_each_token_and_not_the_token(name):
    llm = replace(video_llm(budget(name, keep=1, tokens=40)), passes=Passes(64, 64))
    peaks = []
    for frames in (128, 512):
        features = torch.randn(frames // 8, 8, PER_FRAME, 32)
        with counting(torch.device("cpu")) as count:
            context = llm.read(features, torch.arange(frames) / 2.0, "cat")
        assert context.layout.visual_length == 40
        peaks.append(count.peak)
    assert peaks[1] - peaks[0] < (512 - 128) * PER_FRAME * WIDTH  # a quarter of the tokens themselves, in float32


def test_a_rule_that_does_not_say_how_it_goes_in_parts_is_shown_the_whole_video():
    class Brightest(Budget):
        """Of each frame the largest token, and of every third none."""

        def reduce(self, tokens, video_id):
            best = tokens.sum(-1).argmax(1).tolist()
            shown = [frame for frame in range(len(best)) if frame % 3]
            return Kept(
                tokens[shown, [best[frame] for frame in shown]],
                tuple((one,) * (frame % 3 > 0) for frame, one in enumerate(best)),
            )

        def expected(self, frames, per_frame):
            return [(0,) * (frame % 3 > 0) for frame in range(frames)]

    shown, rule = tokens(), Brightest()
    kept, whole = rule.reduce_parts(FrameTokens.of(shown, 3), "cat"), rule.reduce(shown, "cat")
    assert kept.places == whole.places
    assert [len(kept.of(range(frame, frame + 1))) for frame in range(4)] == [0, 1, 1, 0]
    assert torch.equal(torch.cat([kept.of(range(5)), kept.of(range(5, FRAMES))]), whole.tokens)


def test_a_frame_without_tokens_advances_by_its_length():
    rule = budget("random")
    spans = (Span(2), rule.span(Span(3, 0.0), (1,)), rule.span(Span(3, 1.0), ()), Span(1))
    text, visual = counts(replace(video_llm(NoBudget()).prefix_layout(8), spans=spans))
    assert (text + visual)[0].tolist() == [0, 1, 3, 8]


@pytest.mark.parametrize("name", THIN)
def test_frames_with_positions_on_three_axes_are_refused_by_name(name):
    with pytest.raises(BadInput, match=f"budget={name} .* one axis, got a grid of 2 x 3"):
        budget(name).span(Span(6, 0.0, grid=(2, 3)), (0,))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("pool", {"positions": "middle"}, "budget.positions must be keep or pack, got middle"),
        ("random", {"keep": 0}, "budget.keep must be above 0 and at most 1.*got 0"),
        ("random", {"keep": 1.5}, "budget.keep .* got 1.5"),
        ("drop_repeated", {"keep": True}, "budget.keep .* got True"),
        ("pool", {"grid": [2]}, "budget.grid must be rows and columns.*got .2."),
        ("two_rate", {"every": 0}, "budget.every must be a whole number of at least 1, got 0"),
        ("downsample", {"side": 0}, "budget.side must be a whole number of at least 1, got 0"),
        ("random", {"tokens": 0}, "budget.tokens must be a whole number of at least 1 or null, got 0"),
        ("random", {"seed": -1}, "budget.seed must be a whole number of at least 0, got -1"),
    ],
)
def test_settings_that_nothing_can_be_made_of_are_refused(name, changes, said):
    with pytest.raises(BadInput, match=said):
        budget(name, **changes)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("drop_repeated", {"keep": 0.05}, "keeps the first frame, 5 tokens, got budget.keep=0.05 of 16 frames, 4 tok"),
        ("temporal_merge", {"keep": 0.05}, "leaves at least a frame, 5 tokens, got budget.keep=0.05 of 16 frames, 4"),
        ("drop_repeated", {"tokens": 4}, "keeps the first frame, 5 tokens, got budget.tokens=4"),
        ("pool", {"grid": [3, 1]}, "budget.grid must be at most the frame's 2 x 2 patches, got 3 x 1"),
        ("downsample", {"side": 3}, "budget.side must be at most the tower's 2 rows of patches, got 3"),
    ],
)
def test_what_does_not_fit_the_video_is_refused_with_both_numbers(name, changes, said):
    with pytest.raises(BadInput, match=said):
        watched(video_llm(budget(name, **changes)))
