"""Bytes held are the closed form, to the byte, for every policy and shape; what cannot be is refused by name."""

import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.none import NoScaling

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@st.composite
def policies(draw, head_dim, calibration=None, layers=1):
    sides = {}
    for side in ("key", "value"):
        granularity = draw(st.sampled_from(["tensor", "channel", *(["token", "temporal"] * (not calibration))]))
        divisors = [g for g in (1, 2, 4, 8, 16, 32) if head_dim % g == 0]
        groups = {"tensor": st.none(), "token": st.sampled_from([None, *divisors])}
        sides |= {
            f"{side}_granularity": granularity,
            f"{side}_group": None if calibration else draw(groups.get(granularity, st.none() | st.integers(1, 40))),
            f"{side}_clip": draw(st.sampled_from([1.0, 0.8])),
            f"{side}_hadamard": not calibration and draw(st.booleans()),
        }
    bits = st.sampled_from([2, 4, 8, 16])
    return KVQuant(
        bits=draw(bits),
        value_bits=draw(st.none() | bits),
        pre_rope=draw(st.booleans()),
        sinks=draw(st.integers(0, 6)),
        tail=draw(st.integers(0, 6)),
        skip_layers=draw(st.lists(st.integers(0, layers - 1), max_size=layers - 1)),
        calibration=calibration or "dynamic",
        **sides,
    )


@pytest.mark.slow
@pytest.mark.parametrize("static", [False, True])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_are_the_closed_form(static, calibrated, origin, data):
    draw = data.draw
    d, dtype = draw(st.sampled_from([8, 16, 32])), draw(st.sampled_from(DTYPES))
    layers, kv_heads, per_frame = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    frames = (Span(per_frame, float(t)) for t in range(draw(st.integers(13, 20))))  # sinks and tail leave some
    layout = Layout((Span(draw(st.integers(0, 7))), *frames, Span(draw(st.integers(0, 7)))))
    path = calibrated(layers, kv_heads, d, tokens=5, prefixes=1)[0] if static else None
    length, policy = layout.length, draw(policies(d, path, layers))
    pairs = [tuple(torch.randn(2, kv_heads, length, d).to(dtype)) for _ in range(layers)]
    packed = policy.pack(pairs, layout, torch.arange(length)[:, None] * torch.rand(d // 2), origin)
    shape = {"layers": layers, "kv_heads": kv_heads, "head_dim": d, "length": length, "element_size": dtype.itemsize}
    ledger = packed.ledger()
    assert ledger["total"] == policy.closed_form_bytes(**shape, layout=layout)
    assert ledger["padding"] == 0
    assert sum(ledger.values()) == 2 * ledger["total"]
    assert ledger["scales"] == ledger["zeros"]
    assert packed.full_precision_bytes == NoQuant().closed_form_bytes(**shape)
    assert packed.bits_per_element == 8 * ledger["total"] / (2 * layers * kv_heads * length * d)
    for layer in packed.layers:
        assert sum(keys.shape[1] for keys, _ in layer.blocks()) == length
        assert sum(run.length for run in layer.runs) == length


def test_scales_and_zeros_are_float16_whatever_the_model():
    for dtype in DTYPES:
        pairs = [tuple(torch.randn(2, 2, 40, 8).to(dtype))]
        packed = KVQuant(bits=2, key_group=8, value_group=8).pack(pairs, Layout((Span(40),)), None)
        tensors = [
            t for run in packed.layers[0].runs for name in ("scales", "zeros") for t in run.parts().get(name, ())
        ]
        assert {t.dtype for t in tensors} == {torch.float16}


def test_bytes_are_the_closed_form_of_frames_that_are_grids():
    """Also where an axis turns too slowly to be told apart, as width does in frames of few columns."""
    geometry = RopeGeometry(head_dim=32, base=1e4, trained_length=64, axis_of=(0,) * 4 + (1,) * 6 + (2,) * 6)
    policy = KVQuant(bits=2, key_group=8, value_group=8, pre_rope=True)
    for rows, columns, frames in ((4, 6, 8), (4, 4, 8), (1, 1, 8), (2, 2, 1)):
        spans = (Span(rows * columns, float(t), (rows, columns), late=t, advance=0) for t in range(frames))
        layout = Layout((Span(5), *spans, Span(3)))
        pairs = [tuple(torch.randn(2, 2, layout.length, 32))]
        held = policy.pack(pairs, layout, NoScaling().angles(layout, geometry, 1.0)).ledger()["total"]
        shape = {"layers": 1, "kv_heads": 2, "head_dim": 32, "length": layout.length, "element_size": 4}
        assert held == policy.closed_form_bytes(**shape, layout=layout)


def test_length_alone_says_nothing_of_frames():
    policy = KVQuant(bits=2, key_granularity="temporal", key_group=8, value_group=8)
    with pytest.raises(BadInput, match="temporal groups need frames, got a prefix of 50 tokens of text"):
        policy.closed_form_bytes(layers=1, kv_heads=1, head_dim=8, length=50, element_size=2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bits": 3}, "kv_quant.bits must be 2, 4, 8 or 16, got 3"),
        ({"value_bits": 6}, "kv_quant.value_bits must be 2, 4, 8 or 16, got 6"),
        ({"key_group": 0}, "kv_quant.key_group must be a whole number of at least 1 or null, got 0"),
        ({"value_group": -1}, "kv_quant.value_group must be a whole number of at least 1 or null, got -1"),
        ({"value_granularity": "head"}, "value_granularity must be one of tensor, channel, token, temporal, got head"),
        ({"tail": -1}, "kv_quant.tail must be a whole number of at least 0, got -1"),
    ],
)
def test_refusals_name_the_field_and_the_value(wrong, message):
    with pytest.raises(BadInput, match=message):
        KVQuant(**{"bits": 4, "key_group": 8, "value_group": 8, **wrong})


WRONG_TYPES = {
    "bits": (2.0, "must be 2, 4, 8 or 16, got 2.0"),
    "value_group": (8.0, "must be a whole number of at least 1 or null, got 8.0"),
    "sinks": (1.5, "must be a whole number of at least 0, got 1.5"),
    "tail": ("x", "must be a whole number of at least 0, got x"),
    "key_clip": ("x", "must be over 0 and at most 1, got x"),
    "value_hadamard": ("maybe", "must be true or false, got maybe"),
    "pre_rope": (1, "must be true or false, got 1"),
    "range_multiplier": ("x", "must be a number over 0, got x"),
    "calibration": (3, "must be dynamic, embedded or a file in quotes, got 3"),
}


def test_what_yaml_takes_for_another_type_is_refused():
    """In a process of its own: here types are checked before a field can refuse them."""
    script = f"""
from intpv.kv_quant.kv_quant import KVQuant
for field, (wrong, _) in {WRONG_TYPES!r}.items():
    try:
        KVQuant(**dict(bits=4, key_group=8, value_group=8) | {{field: wrong}})
    except Exception as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    wanted = [f"BadInput kv_quant.{field} {message}" for field, (_, message) in WRONG_TYPES.items()]
    assert done.stdout.splitlines() == wanted


def test_the_label_names_both_bits_where_they_differ():
    assert KVQuant(bits=2, key_group=8, value_group=8).label == "int2"
    assert KVQuant(bits=4, value_bits=2, key_group=8, value_group=8).label == "K4V2"
