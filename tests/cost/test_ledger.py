"""The ledger counts every storage once and gives each to one part."""

import torch
from torch import nn

from intpv.cost.ledger import kv, storage_bytes, weights

from ..tiny import tiny_model


def test_views_and_tied_weights_are_one_storage():
    tensor = torch.zeros(10, 4)
    assert sum(storage_bytes([tensor, tensor[:2], tensor.T]).values()) == 160
    tied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    tied[1].weight = tied[0].weight
    assert weights(tied, nn.Identity()) == {"memory/weights_bytes": 64, "memory/tower_bytes": 0}


def test_parameters_and_buffers_of_a_model_are_all_there():
    model = tiny_model()
    found = weights(model.llm, model.encoder)
    for name, module in (("weights", model.llm), ("tower", model.encoder)):
        tensors = [*module.parameters(), *module.buffers()]
        assert found[f"memory/{name}_bytes"] == sum(tensor.nbytes for tensor in tensors)


def test_an_encoder_inside_the_llm_is_the_towers_alone():
    whole = nn.ModuleDict({"tower": nn.Linear(3, 3), "text": nn.Linear(5, 5)})
    found = weights(whole, whole["tower"])
    assert found == {"memory/weights_bytes": 4 * 30, "memory/tower_bytes": 4 * 12}


def test_the_parts_of_the_prefix_add_up():
    named = kv({"codes": 5, "scales": 2, "zeros": 2, "angles": 0, "exempt": 4, "padding": 3, "total": 16})
    assert named.pop("kv/bytes") == sum(named.values()) == 16
