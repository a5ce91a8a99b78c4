"""What each rule leaves, against the definition worked out another way."""

import pytest
import torch
from torch.nn import functional as F
from transformers import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings

from intpv.budget.drop_repeated import DropRepeated
from intpv.budget.frame_tokens import FrameTokens
from intpv.budget.pool import Pool, coarser, pooled_places
from intpv.budget.random import RandomTokens
from intpv.budget.temporal_merge import TemporalMerge
from intpv.budget.two_rate import TwoRate
from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.per_frame import PerFrame
from intpv.errors import BadInput

from ..tiny import SIZES


def tokens(frames, per_frame, seed=0):
    return torch.randn(frames, per_frame, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("side", "grid"), [(4, (2, 2)), (4, (1, 2)), (24, (12, 6)), (3, (1, 1))])
def test_pooling_is_the_mean_of_equal_blocks(side, grid):
    shown = tokens(3, 1 + side * side)
    rows, columns = side // grid[0], side // grid[1]
    expected = [shown[:, 0]]
    for top in range(0, side, rows):
        for left in range(0, side, columns):
            block = [1 + (top + r) * side + left + c for r in range(rows) for c in range(columns)]
            expected.append(shown[:, block].mean(1))
    torch.testing.assert_close(coarser(shown, grid), torch.stack(expected, 1))


@pytest.mark.parametrize(("side", "grid"), [(4, (2, 2)), (5, (2, 3)), (24, (5, 7)), (3, (3, 3))])
def test_a_pooled_token_stands_in_the_region_that_moves_it(side, grid):
    """Each place is one of the patches that its mean depends on."""
    for index, place in enumerate(pooled_places(side * side, grid)):
        shown = torch.zeros(1, side * side, 1)
        shown[0, place] = 1
        assert coarser(shown, grid)[0, index] > 0


def test_pooling_to_the_whole_grid_changes_nothing():
    shown = tokens(2, 10)
    assert torch.equal(coarser(shown, (3, 3)), shown)
    assert pooled_places(10, (3, 3)) == tuple(range(10))


def test_two_rates_are_whole_and_pooled_frames_in_turn():
    shown, rule = tokens(5, 10), TwoRate(every=2, grid=[1, 1])
    small, left = Pool(grid=[1, 1]).reduce(shown, "").tokens.unflatten(0, (5, 2)), rule.reduce(shown, "").tokens
    assert torch.equal(left, torch.cat([shown[0], small[1], shown[2], small[3], shown[4]]))


def test_the_newest_tokens_stay():
    shown = tokens(6, 4)
    kept = DropRepeated(keep=0.5).reduce(shown, "")
    new = {(0, place): -2.0 for place in range(4)}
    for frame in range(1, 6):
        for place in range(4):
            new[frame, place] = float(F.cosine_similarity(shown[frame, place], shown[frame - 1, place], dim=0))
    chosen = sorted(sorted(new, key=new.__getitem__)[:12])
    assert [(frame, place) for frame, of in enumerate(kept.places) for place in of] == chosen
    assert torch.equal(kept.tokens, torch.stack([shown[place] for place in chosen]))


def test_of_a_still_video_one_frame_is_left_by_merging():
    still = tokens(1, 4).expand(8, 4, 6)
    kept = TemporalMerge(keep=1 / 8).reduce(still, "")
    assert kept.places == ((0, 1, 2, 3), *[()] * 7)
    torch.testing.assert_close(kept.tokens, still[0])


@pytest.mark.parametrize("at_once", [1, 3, 7])
@pytest.mark.parametrize("keep", [0.9, 0.6, 0.3, 0.15])
def test_merging_is_what_one_pair_after_another_gives(keep, at_once):
    """The same matching worked out token by token, with plain lists."""
    shown, count = tokens(7, 3), round(keep * 21)
    groups = {(frame, place): [shown[frame, place]] for frame in range(7) for place in range(3)}
    while len(groups) > count:
        means = {at: torch.stack(group).mean(0) for at, group in groups.items()}
        frames = sorted({frame for frame, _ in groups})
        pairs = []
        for before, offering in zip(frames[::2], frames[1::2], strict=False):
            for source in [at for at in groups if at[0] == offering]:
                near = [at for at in groups if at[0] == before]
                likeness = [float(F.cosine_similarity(means[source], means[at], dim=0)) for at in near]
                pairs.append((max(likeness), source, near[likeness.index(max(likeness))]))
        for _, source, target in sorted(pairs, reverse=True)[: len(groups) - count]:
            groups[target] = groups[target] + groups.pop(source)
    kept = TemporalMerge(keep=keep).reduce_parts(FrameTokens.of(shown, at_once), "")
    assert [(frame, place) for frame, of in enumerate(kept.places) for place in of] == sorted(groups)
    torch.testing.assert_close(
        kept.of(range(7)), torch.stack([torch.stack(groups[at]).mean(0) for at in sorted(groups)])
    )


def test_a_random_draw_depends_on_video_and_seed_alone_and_is_nested():
    shown = tokens(8, 5)
    few, more = (RandomTokens(keep=keep).reduce(shown, "cat").places for keep in (0.25, 0.5))
    assert all(set(one) <= set(other) for one, other in zip(few, more, strict=True))
    assert few == RandomTokens(keep=0.25).reduce(-shown, "cat").places
    assert few != RandomTokens(keep=0.25).reduce(shown, "dog").places
    assert few != RandomTokens(keep=0.25, seed=1).reduce(shown, "cat").places


def test_positions_of_fewer_patches_are_those_of_transformers():
    """Judge: CLIP's own interpolation of the same table."""
    encoder = LanguageBind(llm_width=8, select_layer=-1, **{**SIZES, "image_size": 32, "patch_size": 8})
    ours = encoder.tower.embeddings
    judge = CLIPVisionEmbeddings(CLIPVisionConfig(hidden_size=32, num_attention_heads=2, image_size=32, patch_size=8))
    judge.position_embedding.weight.data = ours.position_embedding.weight.data
    with torch.inference_mode():
        expected = judge.interpolate_pos_encoding(torch.zeros(1, 5, 32), 16, 16)[0]
        torch.testing.assert_close(ours._positions(4), expected)


def test_a_tower_that_takes_no_other_size_says_so():
    encoder = PerFrame(llm_width=8, select_layer=-1, **SIZES)
    with pytest.raises(BadInput, match="PerFrame takes 16x16 pixels alone"):
        encoder.smaller(torch.zeros(1, 3, 16, 16), 1)
