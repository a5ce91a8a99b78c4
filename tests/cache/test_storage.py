"""Bytes held are those of whole storages; owned tensors are alone in theirs."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from intpv.cache.entry import held_bytes, owned
from intpv.kv_quant.kv_quant import KVQuant
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model
from .entries import DTYPES, entry, same


@dataclass
class Nest:
    inner: object
    name: str = "nest"


def test_a_view_counts_with_what_it_keeps_alive():
    base = torch.zeros(1000)
    assert held_bytes({"a": base[:1]}) == 4000
    assert held_bytes({"a": base[:1], "b": base[500:], "c": base.view(10, 100).t()}) == 4000
    assert held_bytes({"a": base, "b": base.clone()}) == 8000
    assert held_bytes({"a": torch.zeros(1).expand(10**6), "b": torch.zeros(0)}) == 4


def test_nests_are_looked_into():
    one, two = torch.zeros(10), torch.zeros(20, dtype=torch.uint8)
    nest = Nest([(one, two), {"x": Nest(one[2:])}, None, 1.5, torch.float16, torch.device("cpu")])
    assert held_bytes(nest) == 60
    for strange in (object(), np.zeros(3), nn.Linear(2, 2), {"a": {1, 2}}):
        with pytest.raises(TypeError, match="cannot tell how many bytes a"):
            held_bytes(strange)


@pytest.mark.parametrize("bits", [2, 8])
def test_a_watched_video_counts_as_its_own_ledger_does(bits):
    llm = VideoLLM(tiny_model(), Strided(), NoScaling(), KVQuant(bits=bits, key_group=32, value_group=32))
    context = llm.watch(*clip(16))
    assert held_bytes(context) == context.packed.ledger()["total"]


def test_owned_tensors_keep_their_values_and_nothing_else():
    base = torch.arange(24.0).view(4, 6)
    tensors = {
        "row": base[1],
        "turned": base.t(),
        "all": base,
        "again": base,
        "flat": base.view(-1),
        "single": torch.tensor(7).expand(1),
        "column": base[:, :1].t(),
        "spread": torch.tensor(7).expand(3, 2),
        "learnt": nn.Parameter(torch.ones(2)),
        "none": base[:0],
        "nothing": torch.zeros(0),
    } | {str(dtype): torch.ones(3, dtype=dtype)[1:] for dtype in DTYPES}
    mine = owned(tensors)
    assert same(mine, tensors)
    assert held_bytes(mine) == sum(tensor.nbytes for tensor in tensors.values())
    for tensor in mine.values():
        assert tensor.stride() == torch.zeros_like(tensor, memory_format=torch.contiguous_format).stride()
        assert not tensor.requires_grad


def test_what_is_alone_already_is_not_copied():
    tensors = entry()
    assert all(mine.data_ptr() == tensors[name].data_ptr() for name, mine in owned(tensors).items())
