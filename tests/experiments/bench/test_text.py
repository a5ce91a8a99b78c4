"""Long text: losses are those that transformers gives by its own rope_type, and behind a packed prefix."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from experiments.bench.text import DEFAULTS, TextReader, measure, text_table, valid_options
from experiments.run.provenance import provenance
from intpv.errors import BadInput

from ...tiny import tiny_llama

WINDOW, LENGTH = 64, 160


@pytest.fixture(scope="module")
def reader():
    return TextReader(tiny_llama(vocab_size=50, hidden_size=64, max_position_embeddings=WINDOW, num_hidden_layers=3))


@pytest.fixture(scope="module")
def text():
    return torch.randint(0, 50, (2, LENGTH), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("strategy", "factor", "rope"),
    [
        ("none", 1.0, {}),
        ("linear", 2.0, {"rope_type": "linear", "factor": 2.0}),
        ("yarn", 4.0, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": WINDOW}),
    ],
)
@torch.inference_mode()
def test_losses_are_those_of_transformers_own_rope(reader, text, strategy, factor, rope):
    config = copy.deepcopy(reader.llm.config)
    config.rope_parameters = {**config.rope_parameters, **rope}
    judge = type(reader.llm)(config).eval()
    judge.load_state_dict(reader.llm.state_dict())
    ids = text[0]
    expected = cross_entropy(judge(ids[None]).logits[0, :-1], ids[1:], reduction="none")
    ours = reader.losses(ids, reader.rotation(strategy, factor, LENGTH))
    assert torch.allclose(ours, expected, atol=1e-4)


@torch.inference_mode()
def test_a_continuation_behind_a_prefix_in_full_precision_is_the_text_in_one(reader, text):
    whole = reader.losses(text[0], reader.rotation("none", 1.0, LENGTH))
    found = reader.continued(text[0], 96, ["none", "int2"])
    assert torch.allclose(found["none"]["loss"], whole[96:], atol=1e-4)
    assert not torch.allclose(found["int2"]["loss"], whole[96:], atol=1e-3)
    assert found["int2"]["bits_per_element"] < found["none"]["bits_per_element"] == 32


@torch.inference_mode()
def test_both_sections_are_measured_and_shown(reader, text, tmp_path):
    small = {"continuation": 32, "policies": ["none", "int4"]}
    options = valid_options({**DEFAULTS, "out": str(tmp_path / "text.json"), "tokens": LENGTH, "prefix": 96, **small})
    found = {"provenance": provenance(), "model": "tiny", "window": WINDOW, "options": options}
    measure(reader, text, options, found)
    assert set(found["positions"]) == {"none 1", "linear 2", "linear 4", "ntk 2", "ntk 4", "yarn 2", "yarn 4"}
    assert found["prefix"]["none"]["beyond_none"] == [0.0, 0.0]
    assert (tmp_path / "text.md").read_text() == text_table(found)


@torch.inference_mode()
@pytest.mark.parametrize("tokens", [1025, 1026])
def test_a_table_has_a_column_of_every_bin(reader, tokens, tmp_path):
    options = {
        **DEFAULTS,
        "out": str(tmp_path / "text.json"),
        "tokens": tokens,
        "sections": ["positions"],
        "factors": [2],
    }
    found = {
        "provenance": provenance(),
        "model": "tiny",
        "window": WINDOW,
        "options": {**options, "strategies": ["none"]},
    }
    measure(reader, torch.randint(0, 50, (1, tokens)), found["options"], found)
    (row,) = found["positions"].values()
    heads = next(line for line in text_table(found).splitlines() if line.startswith("| strategy"))
    assert heads.count("|") - 2 == len(row["loss"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sections": ["position"]}, "sections must be some of positions, prefix, got position"),
        ({"strategies": ["visual_only"]}, r"strategies must be some of .*linear, .* got visual_only"),
        ({"policies": ["int3"]}, "policies must be some of .*, got int3"),
        ({"policies": ["temporal"]}, "policies must need neither frames nor ranges of another model, got temporal"),
        ({"policies": ["paper_tensor"]}, "policies must need neither frames nor ranges .*, got paper_tensor"),
        ({"prefix": 16384}, "prefix and continuation must fit into tokens=16384, got 16896"),
        ({"tokens": 0}, "tokens must be"),
    ],
)
def test_what_there_is_not_is_one_line(wrong, said):
    with pytest.raises(BadInput, match=said):
        valid_options({**DEFAULTS, **wrong})
