"""auto takes what the machine runs and the prefix is worth; what is asked for and cannot be run is refused."""

import logging

import pytest
import torch

from intpv.attention import prefix
from intpv.attention.prefix import chosen, eager_attention, prefix_attention
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant, NoQuant

from .packed_layers import option, pack, video

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def worth_it(monkeypatch):
    monkeypatch.setattr(prefix, "WORTH", 1)


def _machine(monkeypatch, compiler, triton):
    monkeypatch.setattr(prefix, "broken_compiler", lambda device: None if compiler else "no compiler")
    monkeypatch.setattr(prefix, "find_spec", lambda name: None if triton is False else "there")
    monkeypatch.setattr(prefix, "no_launch", lambda device: None if triton is True else triton)


@pytest.mark.usefixtures("worth_it")
@pytest.mark.parametrize(
    ("device", "compiler", "triton", "path"),
    [
        (CPU, True, True, "compiled"),
        (CPU, False, True, "eager"),
        (CUDA, True, True, "triton"),
        (CUDA, True, False, "compiled"),
        (CUDA, True, "Triton finds no C compiler", "compiled"),
        (CUDA, False, False, "eager"),
    ],
)
def test_auto_takes_what_the_machine_runs(monkeypatch, caplog, device, compiler, triton, path):
    _machine(monkeypatch, compiler, triton)
    prefix._say.cache_clear()
    layer = pack(option("int4"), video(5))
    with caplog.at_level(logging.INFO, logger=prefix.__name__):
        assert chosen(layer, device) == chosen(layer, device) == path
    assert [path in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.usefixtures("worth_it")
def test_auto_leaves_to_the_compiler_what_the_kernel_cannot_read(monkeypatch):
    _machine(monkeypatch, True, True)
    layer = pack(KVQuant(bits=4, key_group=8, value_group=8, pre_rope=True, key_hadamard=True), video(5))
    assert chosen(layer, CUDA) == "compiled"


def test_a_small_prefix_pays_no_compilation(monkeypatch):
    monkeypatch.setattr(prefix, "broken_compiler", lambda device: pytest.fail("tried to compile"))
    assert chosen(pack(option("int2"), video(64), kv_heads=4), CPU) == "eager"
    assert chosen(pack(option("none"), video(64), kv_heads=4), CPU) == "sdpa"


def test_what_hands_out_blocks_and_nothing_else_is_read_eagerly():
    class Blocks:
        def blocks(self):
            yield torch.randn(2, 7, 8), torch.randn(2, 7, 8)

    assert chosen(Blocks(), CPU) == "eager"


@pytest.mark.parametrize("name", ["int4", "none"])
def test_eager_is_what_is_asked_for(monkeypatch, name):
    monkeypatch.setattr(prefix, "WORTH", 0)
    layer, q = pack(option(name, decode="eager"), video(5)), torch.randn(2, 3, 32)
    for got, want in zip(prefix_attention(q, layer, 0.2), eager_attention(q, layer, 0.2), strict=True):
        assert torch.equal(got, want)


@pytest.mark.parametrize(("path", "reason"), [("triton", "CUDA device, got cpu"), ("compiled", "no compiler")])
def test_refuses_what_cannot_be_run(monkeypatch, path, reason):
    _machine(monkeypatch, False, False)
    with pytest.raises(BadInput, match=f"kv_quant.decode={path} cannot be run: .*{reason}"):
        prefix_attention(torch.randn(2, 1, 32), pack(option("int4", decode=path), video(5)), 0.2)


def test_refuses_a_kernel_that_cannot_be_launched(monkeypatch):
    _machine(monkeypatch, True, "Triton finds no C compiler")
    with pytest.raises(BadInput, match=r"decode=triton cannot be run: Triton finds no C compiler"):
        chosen(pack(option("int4", decode="triton"), video(5)), CUDA)


def test_refuses_what_the_kernel_cannot_read(monkeypatch):
    _machine(monkeypatch, True, True)
    for changes, named in (
        ({"pre_rope": True, "key_hadamard": True}, "pre_rope=True.*key_hadamard=True"),
        ({"value_bits": 16}, "values of 16 bits beside 4-bit codes"),
    ):
        layer = pack(KVQuant(bits=4, key_group=8, value_group=8, decode="triton", **changes), video(5))
        with pytest.raises(BadInput, match=named):
            chosen(layer, CUDA)


@pytest.mark.parametrize("policy", [NoQuant, lambda decode: KVQuant(bits=4, key_group=8, value_group=8, decode=decode)])
def test_refuses_an_unknown_path(policy):
    with pytest.raises(BadInput, match=r"decode must be one of auto, eager, compiled, triton, got fast"):
        policy(decode="fast")
