"""A reading is made once and holds nothing of its own; copies and pickles make theirs."""

import pickle
from copy import deepcopy

import pytest
import torch

from tests.attention.packed_layers import OPTIONS, option, pack, video


def _codes(name):
    """Keys and values of the quantised run, of shapes that every option takes."""
    layer = pack(option(name), video(20))
    (run,) = (run for run in layer.runs if run.keys.reading())
    return run.keys, run.values


def _storages(*tensors):
    return {tensor.untyped_storage().data_ptr() for tensor in tensors if tensor is not None}


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "none"])
def test_reading(name):
    for codes in _codes(name):
        fresh = pickle.dumps(codes)
        reading = codes.reading()
        assert codes.reading() is reading
        own = _storages(*(tensor for tensors in codes.parts().values() for tensor in tensors))
        assert _storages(reading.packed, reading.scale, reading.zero) <= own
        assert reading.pre_rope is None or reading.pre_rope in codes.bases
        assert len(pickle.dumps(codes)) == len(fresh)
        for other in (pickle.loads(pickle.dumps(codes)), deepcopy(codes)):
            assert not _storages(other.reading().packed) & own
            assert _storages(other.reading().packed) == _storages(other.packed)
            assert torch.equal(other.piece(0, 99), codes.piece(0, 99))
