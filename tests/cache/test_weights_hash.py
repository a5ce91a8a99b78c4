"""The hash of weights sees every parameter and buffer, and nothing else."""

import copy
import gc

import pytest
import torch
from torch import nn

from intpv.cache import weights_hash as module
from intpv.cache.weights_hash import weights_hash


def tower() -> nn.Module:
    torch.manual_seed(0)
    tower = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    tower.register_buffer("inv_freq", torch.arange(4.0), persistent=False)
    return tower.eval()


def test_equal_weights_have_equal_hashes():
    assert weights_hash(tower()) == weights_hash(tower()) == weights_hash(copy.deepcopy(tower()))
    assert weights_hash(tower().requires_grad_(False)) == weights_hash(tower().train())


@pytest.mark.parametrize("name", ["0.weight", "2.bias", "1.running_mean", "1.num_batches_tracked", "inv_freq"])
@torch.no_grad()
def test_every_tensor_counts_to_its_last_element(name):
    changed = tower()
    tensor = dict(changed.named_parameters()) | dict(changed.named_buffers())
    tensor[name].view(-1)[-1:].add_(1)
    assert weights_hash(changed) != weights_hash(tower())


def test_dtype_shape_and_name_count():
    zeros = [nn.Linear(2, 2, bias=False), nn.Linear(4, 1, bias=False), nn.Linear(2, 4, bias=False).half()]
    zeros += [nn.Linear(2, 4, bias=False).bfloat16(), nn.Sequential(nn.Linear(2, 2, bias=False))]
    for layer in zeros:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    assert len({weights_hash(layer) for layer in zeros}) == len(zeros)


def test_a_module_is_hashed_once_until_it_changes(monkeypatch):
    digests = []
    digest = module._digest
    monkeypatch.setattr(module, "_digest", lambda tensors: digests.append(digest(tensors)) or digests[-1])
    net = tower()
    assert weights_hash(net) == weights_hash(net)
    assert len(digests) == 1
    net.load_state_dict({name: value + 1 for name, value in net.state_dict().items()})
    assert weights_hash(net) != digests[0]
    net[0].weight = nn.Parameter(torch.zeros(4, 3))
    weights_hash(net)
    net.to(torch.float64)
    assert len({*digests, weights_hash(net)}) == 4


def test_a_replaced_buffer_is_noticed():
    net = tower()
    before = weights_hash(net)
    net.inv_freq = torch.arange(4.0) + 1  # neither has been written to in place
    assert weights_hash(net) != before


def test_inference_tensors_odd_layouts_and_ties():
    with torch.inference_mode():
        made = tower()
    assert weights_hash(made) == weights_hash(tower())
    layer = nn.Linear(3, 3, bias=False)
    turned = nn.Linear(3, 3, bias=False)
    turned.weight = nn.Parameter(layer.weight.detach().t().contiguous().t())
    assert weights_hash(turned) == weights_hash(layer)
    tied = nn.ModuleDict({"a": layer, "b": layer})
    assert weights_hash(tied) == weights_hash(nn.ModuleDict({"a": layer, "b": copy.deepcopy(layer)}))


def test_modules_are_not_kept_alive():
    net = tower()
    weights_hash(net)
    before = len(module._known)
    del net
    gc.collect()
    assert len(module._known) == before - 1
