"""Keys: one per content, whatever the order, the spelling of sequences, the process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.cache.hashing import key

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def typed(value):
    """The value with its types: 1, 1.0 and True are equal in Python; 0.0 and -0.0 are as well."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    return type(value), repr(value)


@given(st.dictionaries(st.sampled_from("abc"), VALUES), st.dictionaries(st.sampled_from("abc"), VALUES))
@settings(max_examples=200, deadline=None)
def test_two_keys_are_equal_when_their_parts_are(left, right):
    assert (key("frames", **left) == key("frames", **right)) == (typed(left) == typed(right))


def test_order_of_names_and_kind_of_sequence_do_not_count():
    assert key("frames", a=1, b=(1, (2, 3))) == key("frames", b=[1, [2, 3]], a=1)
    assert key("frames", a={"x": 1, "y": 2}) == key("frames", a={"y": 2, "x": 1})


@pytest.mark.parametrize("pair", [(1, 1.0), (1, True), (0, None), (0.0, -0.0), ("1", 1), ([], {}), ("a", ["a"])])
def test_values_of_different_types_differ(pair):
    assert len({key("frames", part=value) for value in pair}) == 2


def test_the_kind_and_the_name_count():
    assert len({key("frames", a=1), key("tower", a=1), key("frames", b=1), key("frames", kind="frames", a=1)}) == 4


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (torch.zeros(2), "got Tensor for frames.order"),
        (np.int64(3), "got int64 for frames.order"),
        ({1: 2}, "str keys, got int in frames.order"),
        ([1, {"a": {2}}], r"got set for frames.order\[1\].a"),
        (b"x", "got bytes for frames.order"),
        (Path("x"), "for frames.order"),
    ],
)
def test_other_types_are_refused_by_name(value, got):
    with pytest.raises(TypeError, match=got):
        key("frames", order=value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_no_key(value):
    with pytest.raises(ValueError, match=rf"finite numbers, got {value} for frames.fps\[0\]"):
        key("frames", fps=[value])


def test_another_process_makes_the_same_key_without_torch():
    parts = {"indices": [0, 4, 9], "decoder": "pyav", "size": 0.1, "path": "ä\n\udc80", "more": {"a": None, "b": True}}
    code = (
        "import sys; from intpv.cache import hashing\n"
        f"print(hashing.key('frames', **{parts!r}), 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [key("frames", **parts), "False"]
