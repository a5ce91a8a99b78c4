"""What each rule keeps, against its definition worked out in float64, token by token."""

import cmath
from dataclasses import replace
from math import sqrt

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_evict.attention_mass import AttentionMassEvict
from intpv.kv_evict.kv_evict import TEXT, LatestQueries, LayerTokens, frames_and_places
from intpv.kv_evict.random import RandomEvict
from intpv.kv_evict.redundant import RedundantEvict
from intpv.kv_evict.value_norm import ValueNormEvict
from intpv.kv_evict.window import WindowEvict
from intpv.layout import Layout, Span

HEADS, CHANNELS = 2, 6
WHOLE = Layout((Span(3), *(Span(4, time=float(second)) for second in range(6)), Span(2)))
LEFT = ((0, 2), (1, 2, 3), (), (3,), (0, 1, 2, 3), (1, 2))  # of each frame, by a budget
RAGGED = Layout(
    (Span(3), *(Span(len(places), time=0.0, places=places, advance=4) for places in LEFT), Span(2)),
)


def layer_of(layout, seed=0):
    generator = torch.Generator().manual_seed(seed)
    keys, values = (torch.randn(HEADS, layout.length, CHANNELS, generator=generator) for _ in range(2))
    angles = torch.randn(layout.length, CHANNELS // 2, generator=generator) * 9
    tokens = torch.arange(layout.length)
    return LayerTokens(1, keys, values, tokens, *frames_and_places(layout), angles, "cat")


def chosen(layer, scores, count):
    """All text and the best; of equal ones the earlier."""
    visual = [token for token in range(len(layer.tokens)) if layer.frames[token] != TEXT]
    best = sorted(visual, key=lambda token: -scores[token])[:count]
    return sorted([*best, *(set(range(len(layer.tokens))) - set(visual))])


def norms(layer):
    rows = layer.values.double().tolist()
    return [sum(sqrt(sum(x * x for x in head[token])) for head in rows) / HEADS for token in range(len(layer.tokens))]


def redundancy(layer, recent):
    """Minus the mean cosine; keys turned back as complex numbers, channel i with i + d/2."""
    half, count = CHANNELS // 2, len(layer.tokens)

    def turned(head, token):
        key = layer.keys[head, token].double().tolist()
        angle = layer.angles[token].double().tolist()
        back = [complex(key[i], key[i + half]) * cmath.exp(-1j * angle[i]) for i in range(half)]
        norm = sqrt(sum(abs(x) ** 2 for x in back))
        return [x / norm for x in back]

    ids = sorted({int(frame) for frame in layer.frames if frame != TEXT})
    newest = set(ids[-max(1, int(recent * len(ids))) :])
    scores = [0.0] * count
    for token in range(count):
        if int(layer.frames[token]) in newest:
            scores[token] = 2.0 + token
            continue
        there = [
            other
            for other in range(count)
            if int(layer.frames[other]) in newest and layer.places[other] == layer.places[token]
        ]
        cosines = [
            sum((x * y.conjugate()).real for x, y in zip(turned(head, token), turned(head, other), strict=True))
            for other in there
            for head in range(HEADS)
        ]
        scores[token] = -sum(cosines) / max(1, len(cosines))
    return scores


def masses(layer, queries, scaling):
    """Row by row; two heads of queries share one of keys."""
    count, observers = len(layer.tokens), queries.shape[1]
    scores, seen = [0.0] * count, [0] * count
    for row in range(observers):
        reach = count - observers + row + 1
        for head, of in enumerate(queries[:, row].double()):
            weights = ((layer.keys[head // 2, :reach].double() @ of) * scaling).exp()
            for token, share in enumerate((weights / weights.sum()).tolist()):
                scores[token] += share / len(queries)
        for token in range(reach):
            seen[token] += 1
    return [score / times for score, times in zip(scores, seen, strict=True)]


@pytest.mark.parametrize("count", [1, 5, 9, 12])
@pytest.mark.parametrize("layout", [WHOLE, RAGGED], ids=["whole", "ragged"])
def test_each_keeps_what_its_definition_says(layout, count):
    layer = layer_of(layout)
    assert ValueNormEvict(tokens=99).keep(layer, count).tolist() == chosen(layer, norms(layer), count)
    for recent in (0.1, 0.34, 0.5):
        scores = redundancy(layer, recent)
        assert RedundantEvict(tokens=99, recent=recent).keep(layer, count).tolist() == chosen(layer, scores, count)
    for sinks in (0, 5):
        scores = [1e9 if token < sinks else token for token in range(layout.length)]
        assert WindowEvict(tokens=99, sinks=sinks).keep(layer, count).tolist() == chosen(layer, scores, count)
    for observers in (1, 6):
        queries = torch.randn(2 * HEADS, observers, CHANNELS, generator=torch.Generator().manual_seed(observers))
        told, scores = replace(layer, queries=queries, scaling=0.7), masses(layer, queries, 0.7)
        assert AttentionMassEvict(tokens=99).keep(told, count).tolist() == chosen(layer, scores, count)


def test_the_latest_queries_are_kept_across_passes_and_no_others():
    queries, held = torch.randn(4, 9, CHANNELS), LatestQueries(5)
    for start, stop in ((0, 4), (4, 5), (5, 9)):
        held.hear(0, queries[:, start:stop], 0.5)
    assert torch.equal(held.layers[0], queries[:, 4:])
    assert held.layers[0].untyped_storage().nbytes() == held.layers[0].nbytes  # no view of all the others


@pytest.mark.parametrize("frames", [1, 3])
def test_whole_frames_are_kept_by_the_mean_of_their_tokens(frames):
    layer = layer_of(WHOLE)
    scores = norms(layer)
    means = [sum(scores[3 + 4 * frame : 7 + 4 * frame]) / 4 for frame in range(6)]
    best = sorted(sorted(range(6), key=lambda frame: -means[frame])[:frames])
    expected = [0, 1, 2, *(3 + 4 * frame + place for frame in best for place in range(4)), 27, 28]
    assert ValueNormEvict(tokens=99, whole_frames=True).keep(layer, 4 * frames).tolist() == expected


def test_a_random_draw_depends_on_seed_video_and_layer_alone_and_is_nested():
    layer = layer_of(WHOLE)
    few, more = (set(RandomEvict(tokens=99).keep(layer, count).tolist()) for count in (6, 12))
    assert few < more
    assert RandomEvict(tokens=99).keep(replace(layer, keys=-layer.keys), 6).tolist() == sorted(few)
    others = (
        RandomEvict(tokens=99, seed=1).keep(layer, 6),
        RandomEvict(tokens=99).keep(replace(layer, video_id="dog"), 6),
        RandomEvict(tokens=99).keep(replace(layer, index=2), 6),
    )
    assert all(set(other.tolist()) != few for other in others)


@pytest.mark.parametrize(("angles", "said"), [(None, "layers or channels differ"), (2, "4 are rotated")])
def test_keys_that_are_not_rotated_as_a_whole_are_not_compared(angles, said):
    layer = layer_of(WHOLE)
    partly = None if angles is None else layer.angles[:, :angles]
    with pytest.raises(BadInput, match=f"kv_evict=redundant needs one rotation of all 6 channels of a key, {said}"):
        RedundantEvict(tokens=99).keep(replace(layer, angles=partly), 5)
