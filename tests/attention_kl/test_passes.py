"""On the mini model with its packed prefix: the floor, the order of bits, what is local, and lengths that differ."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import DynamicCache

from intpv.attention_kl.passes import Recut, both, end_to_end, grouped, local
from intpv.attention_kl.report import grouped_figures, worst_heads
from intpv.attention_kl.subject import packed_row
from intpv.errors import BadInput

from .dense import kl

BITS = ("int8", "int4", "int2")


@pytest.fixture(scope="module")
def reference(watched):
    return watched.subject()


@pytest.fixture(scope="module")
def floors(reference, rows):
    recut = replace(reference, prefix=Recut.of(reference.prefix))
    judged = local(reference, reference.prefix, rows, dtype=torch.float64)
    return {"local": judged, "end_to_end": end_to_end(reference, recut, rows)}


@pytest.fixture(scope="module")
def quantised(watched, reference, rows):
    found = {}
    for option in BITS:
        subject = watched.subject(option)
        found[option] = {
            "local": local(reference, subject.prefix, rows),
            "end_to_end": end_to_end(reference, subject, rows),
        }
    return found


def _mean(sums, name="kl/all"):
    return float(sums.mean(name).mean())


@pytest.mark.parametrize("scope", ["local", "end_to_end"])
def test_identical_caches_are_at_the_floor(watched, reference, rows, floors, scope):
    again = watched.subject()
    same = local(reference, again.prefix, rows) if scope == "local" else end_to_end(reference, again, rows)
    for name in ("kl/all", "kl/video"):
        assert _mean(same, name) <= _mean(floors[scope], name) < 1e-6
    assert _mean(same, "output/error") <= 1e-9
    assert _mean(same, "top1_agreement") == 1


@pytest.mark.slow
def test_read_together_all_four_are_what_they_are_alone(watched, reference, rows, floors, quantised):
    found = both(reference, watched.subject("int2"), rows)
    alone = {**quantised["int2"], **{f"{scope}/floor": sums for scope, sums in floors.items()}}
    assert found.keys() == alone.keys()
    for scope, sums in alone.items():
        assert all(torch.equal(found[scope].sums[name], value) for name, value in sums.sums.items())
    less = both(reference, watched.subject("int2"), rows, floors=False)
    assert less.keys() == {"local", "end_to_end"}
    same = both(reference, reference, rows)  # is not read a second time
    assert torch.equal(same["end_to_end"].sums["kl/all"], end_to_end(reference, reference, rows).sums["kl/all"])


@pytest.mark.parametrize("scope", ["local", "end_to_end"])
@pytest.mark.parametrize("name", ["kl/all", "kl/video"])
def test_fewer_bits_never_lower_the_mean(quantised, floors, scope, name):
    means = [_mean(floors[scope], name), *(_mean(quantised[bits][scope], name) for bits in BITS)]
    assert means == sorted(means)
    assert means[1] > 10 * means[0]  # 8 bits can be told from rounding
    assert means[3] > 10 * means[1]


def test_the_first_layer_has_no_drift_yet(quantised):
    """Queries of layer 0 come from the tokens alone, so there both passes measure the same."""
    for sums in quantised.values():
        for name, value in sums["local"].sums.items():
            torch.testing.assert_close(sums["end_to_end"].sums[name][0], value[0], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def _maps(subject, rows):
    """transformers' own attention maps over the dense or dequantised cache: one (H, R, S + R) per layer, float64."""
    ids, place, mask = packed_row(rows)
    cache = DynamicCache()
    for index, layer in enumerate(subject.prefix.layers):
        cache.update(*(torch.cat(parts, 1)[None] for parts in zip(*layer.blocks(), strict=True)), index)
    seen = torch.cat([torch.ones(len(ids), cache.get_seq_length(), dtype=torch.bool), mask], 1)
    previous = subject.decoder.config._attn_implementation
    subject.decoder.set_attn_implementation("eager")
    try:
        with subject.rotated(range(subject.start, subject.start + len(ids))):
            out = subject.decoder(
                input_ids=ids[None],
                position_ids=(subject.start + place)[None],
                attention_mask=torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)[None, None],
                past_key_values=cache,
                output_attentions=True,
            )
    finally:
        subject.decoder.set_attn_implementation(previous)
    return [one[0].double() for one in out.attentions]


def test_end_to_end_is_kl_between_transformers_own_maps(watched, reference, rows, quantised):
    maps = zip(_maps(reference, rows), _maps(watched.subject("int2"), rows), strict=True)
    want = torch.stack([kl(p, r).mean(-1) for p, r in maps])
    torch.testing.assert_close(quantised["int2"]["end_to_end"].mean("kl/all"), want, atol=1e-5, rtol=1e-3)


def test_local_replaces_one_layer_alone(watched, reference, rows, quantised):
    """Each layer's map with only its own prefix quantised, judged by transformers."""
    packed = watched.subject("int2").prefix
    exact, found = _maps(reference, rows), []
    for index, layer in enumerate(packed.layers):
        layers = [*reference.prefix.layers]
        layers[index] = layer
        mixed = replace(reference, prefix=SimpleNamespace(layers=layers))
        found.append(kl(exact[index], _maps(mixed, rows)[index]).mean(-1))
    torch.testing.assert_close(quantised["int2"]["local"].mean("kl/all"), torch.stack(found), atol=1e-5, rtol=1e-3)


def test_the_tables_have_every_layer_and_head(quantised, rows, watched):
    sums = quantised["int2"]["local"]
    assert sums.layers == (0, 1, 2, 3)
    assert sums.mean("kl/all").shape == (4, 4)
    assert (sums.rows["kl/all"] == sum(map(len, rows))).all()
    mass = sums.mean("mass/reference")
    assert mass.shape == (4, 4, 3 + 16)
    torch.testing.assert_close(mass.sum(-1), torch.ones(4, 4, dtype=torch.float64))
    worst = worst_heads(sums)
    assert len(worst) == 5
    assert [value for *_, value in worst] == sorted((v for *_, v in worst), reverse=True)
    assert all(sums.mean("kl/all")[layer, head] == value for layer, head, value in worst)


def test_some_layers_alone_are_rows_of_the_table(reference, watched, rows, quantised):
    some = local(reference, watched.subject("int2").prefix, rows, layers=(1, 3))
    assert some.layers == (1, 3)
    for name, value in some.sums.items():
        assert torch.equal(value, quantised["int2"]["local"].sums[name][[1, 3]])


def test_videos_add_up(reference, watched, rows, quantised):
    """Question by question or all at once: the same sums."""
    prefix = watched.subject("int2").prefix
    first, second, third = (local(reference, prefix, [row]) for row in rows)
    both, together = first + second + third, quantised["int2"]["local"]
    for name, value in together.sums.items():
        torch.testing.assert_close(both.sums[name], value, atol=1e-4, rtol=1e-4)
        assert torch.equal(both.rows[name], together.rows[name])
    with pytest.raises(BadInput, match=r"got layers \(0, 1, 2, 3\) and \(1,\)"):
        _ = together + local(reference, prefix, rows, layers=(1,))


def test_8_against_32_frames(watch, rows):
    few, many = watch(8).subject(), watch(32).subject()
    found = grouped(few, many, rows)
    parts = sum(found.mean(name) for name in ("modality", "within_video", "within_text"))
    torch.testing.assert_close(parts, found.mean("total"), atol=1e-5, rtol=1e-5)
    assert _mean(found, "total") > 1e-4
    named = grouped_figures(found)
    assert len(named) == 4 * 4 + 1
    assert named["attention_kl/grouped/total/mean"] == pytest.approx(_mean(found, "total"))
    with pytest.raises(BadInput, match="use grouped"):
        end_to_end(few, many, rows)


def test_grouped_is_below_full(watched, reference, rows, quantised):
    found = grouped(reference, watched.subject("int2"), rows)
    full = quantised["int2"]["end_to_end"]
    assert (found.mean("total") <= full.mean("kl/all") + 1e-6).all()
    assert _mean(grouped(reference, reference, rows), "total") == 0


def test_other_numbers_of_layers_are_refused(reference, rows):
    short = replace(reference, prefix=Recut(Recut.of(reference.prefix).layers[:3]))
    for run in (lambda: local(reference, short.prefix, rows), lambda: end_to_end(reference, short, rows)):
        with pytest.raises(BadInput, match="equally many layers, got 4 and 3"):
            run()
