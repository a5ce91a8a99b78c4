"""An entry comes out bit for bit as it went in, or not at all."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save

from intpv.cache.entry import BadEntry, decode, encode
from intpv.cache.hashing import FORMAT

from .entries import DTYPES, address, entry, same

SHAPES = st.lists(st.integers(0, 4), max_size=4)


@pytest.mark.slow
@given(st.dictionaries(st.text(min_size=1, max_size=5), st.tuples(st.sampled_from(DTYPES), SHAPES), max_size=4))
@settings(max_examples=100, deadline=None)
def test_every_dtype_and_shape_comes_back(kinds):
    tensors = {}
    for name, (dtype, shape) in kinds.items():
        bits = torch.randint(0, 2 if dtype == torch.bool else 256, (*shape, dtype.itemsize), dtype=torch.uint8)
        tensors[name] = bits.view(dtype).reshape(shape)  # any bits, NaN too
    kinds.pop("__metadata__", None)
    assert same(decode(address(), encode(address(), tensors, {})), tensors)


def test_what_comes_back_is_writable_and_alone():
    content = encode(address(), entry(), {})
    first = decode(address(), content)
    first["frames"].zero_()
    assert same(decode(address(), content), entry())


def test_other_tools_can_read_it(tmp_path):
    file = tmp_path / "entry.safetensors"
    file.write_bytes(encode(address(), entry(), {"video": "a.mp4", "key": "not this"}))
    with safe_open(file, "pt") as opened:
        about = opened.metadata()
        assert same({name: opened.get_tensor(name) for name in opened.keys()}, entry())  # noqa: SIM118
    assert about["video"] == "a.mp4"
    assert about["key"] == address()
    assert about["format"] == str(FORMAT)


def test_every_flipped_byte_is_a_bad_entry_or_harmless():
    content = encode(address(), entry(), {"video": "a.mp4"})
    bad = 0
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        try:
            assert same(decode(address(), bytes(flipped)), entry()), place
        except BadEntry:
            bad += 1
    body = sum(tensor.nbytes for tensor in entry().values())
    assert bad > body + 100  # all of the body, most of the header


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_damage_is_a_bad_entry_or_harmless(data):
    content = encode(address(), entry(), {})
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    damaged = content[:start] + data.draw(st.binary(max_size=40)) + content[end:]
    try:
        assert same(decode(address(), damaged), entry())
    except BadEntry:
        assert damaged != content


def test_every_truncation_is_a_bad_entry():
    content = encode(address(), entry(), {})
    for length in range(len(content)):
        with pytest.raises(BadEntry):
            decode(address(), content[:length])
    for more in (b"\0", b"\0" * 8, content):
        with pytest.raises(BadEntry):
            decode(address(), content + more)


@pytest.mark.parametrize(
    ("written", "changed"),
    [(b'"BF16","shape":[3,2]', b'"BF16","shape":[2,3]'), (b'"BF16"', b'"F16" '), (b'"seed":{', b'"weed":{')],
)
def test_a_plausible_header_of_other_tensors_is_a_bad_entry(written, changed):
    content = encode(address(), entry(), {})
    assert written in content
    with pytest.raises(BadEntry, match="checksum"):
        decode(address(), content.replace(written, changed))


def test_zeroed_pages_are_a_bad_entry():
    content = encode(address(), entry(size=20000), {})
    for start in range(0, len(content), 4096):
        with pytest.raises(BadEntry):
            decode(address(), content[:start] + bytes(4096) + content[start + 4096 :])


def test_another_format_key_or_kind_of_file_is_named():
    content = encode(address(), entry(), {})
    older = content.replace(f'"format":"{FORMAT}"'.encode(), b'"format":"0"')
    assert older != content
    with pytest.raises(BadEntry, match=f"format 0, this is format {FORMAT}"):
        decode(address(), older)
    with pytest.raises(BadEntry, match=f"another key, {address()}"):
        decode(address(1), content)
    for foreign in (b"", b"\x80\x04K\x01.", save(entry()), b"[" * 10**5, json.dumps({"a": 1}).encode()):
        with pytest.raises(BadEntry, match="not a whole entry"):
            decode(address(), foreign)
    deep = b"[" * 10**5
    with pytest.raises(BadEntry, match="not a whole entry"):
        decode(address(), len(deep).to_bytes(8, "little") + deep)
