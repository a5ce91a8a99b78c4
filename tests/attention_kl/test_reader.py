"""Whatever the blocks and the portions, what is read is the stream itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from intpv.attention_kl.streaming import Reader
from intpv.errors import BadInput

from .dense import Pieces

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=9)


@given(blocks=LENGTHS, portions=LENGTHS)
def test_reading_in_portions_is_the_stream(blocks, portions):
    k, v = torch.arange(2.0 * 3 * sum(blocks) * 4).view(2, 3, sum(blocks), 4)
    reader = Reader(Pieces(k, v, blocks).blocks(), "reference")
    start = 0
    for count in portions:
        if start + count > sum(blocks):
            with pytest.raises(BadInput, match=f"the reference ends after {sum(blocks)} keys"):
                reader.take(count)
            return
        keys, values = reader.take(count)
        assert torch.equal(keys, k[:, start : start + count])
        assert torch.equal(values, v[:, start : start + count])
        start += count
    if start == sum(blocks):
        reader.finish()
    else:
        with pytest.raises(BadInput, match=f"goes on after {start} keys"):
            reader.finish()


def test_a_portion_inside_a_block_is_a_view():
    k, v = torch.zeros(2, 3, 10, 4)
    keys, values = Reader(Pieces(k, v, [6, 4]).blocks(), "reference").take(5)
    assert keys.data_ptr() == k.data_ptr()
    assert values.data_ptr() == v.data_ptr()
