"""Of all the files in a folder those are checked and read that transformers reads, and nothing is read again later."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from intpv.errors import BadInput
from intpv.model.loading.shards import Shards

from ..original import write_weights
from ..test_hf_llava import read, write


def split(folder, shards: int = 2, suffix: str = "safetensors", index: bool = True) -> None:
    """The folder's whole file as numbered shards."""
    weights = load_file(folder / "model.safetensors")
    write_weights(folder, weights, suffix, shards, index)


def other_weights(folder) -> dict:
    """The folder's, each a little off, under the same names."""
    return {key: value + 0.01 for key, value in load_file(folder / "model.safetensors").items()}


def whole_beside_a_stale_index(folder):
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def whole_beside_another_checkpoint(folder):
    write_weights(folder, other_weights(folder), "safetensors", 2)
    write_weights(folder, other_weights(folder), "bin", 1)


def sharded(folder):
    split(folder)
    write_weights(folder, other_weights(folder), "bin", 2)
    (folder / "model.safetensors").unlink()


def bin_beside_shards_without_index(folder):
    weights = load_file(folder / "model.safetensors")
    write_weights(folder, other_weights(folder), "safetensors", 2, index=False)
    write_weights(folder, weights, "bin", 1)
    (folder / "model.safetensors").unlink()


def bin_shards(folder):
    split(folder, 3, "bin")
    (folder / "model.safetensors").unlink()


LAID = [
    whole_beside_a_stale_index,
    whole_beside_another_checkpoint,
    sharded,
    bin_beside_shards_without_index,
    bin_shards,
]


@pytest.mark.parametrize("lay", LAID)
def test_what_is_read_of_a_folder_is_what_transformers_reads(tmp_path, lay):
    write(tmp_path)
    lay(tmp_path)
    judge = LlavaForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).state_dict()
    got = read(tmp_path).llm.state_dict()
    assert judge.keys() == got.keys()
    assert all(torch.equal(judge[key], got[key]) for key in judge)


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_shards_that_lost_their_index_are_read(tmp_path, suffix):
    """transformers refuses them; the judge is what it saved."""
    expected = write(tmp_path).state_dict()
    split(tmp_path, 3, suffix, index=False)
    (tmp_path / "model.safetensors").unlink()
    got = read(tmp_path).llm.state_dict()
    assert all(torch.equal(expected[key], got[key]) for key in expected)
    second = next(tmp_path.glob("*-00002-of-00003.*"))
    second.rename(second.with_name(second.name.replace("2-of-00003", "2-of-00004")))
    with pytest.raises(BadInput, match="holds shards of several checkpoints, of 00003 and 00004, and no index"):
        read(tmp_path)


def test_a_shard_of_more_than_can_be_counted_is_refused(tmp_path):
    count = "9" * 20
    (tmp_path / f"model-{1:020}-of-{count}.safetensors").touch()
    with pytest.raises(BadInput, match=rf"model-0+2-of-{count}\.safetensors is missing: .* has {count} shards"):
        Shards.find(tmp_path)


def test_checks_look_at_the_files_that_are_read(tmp_path):
    """Whole numbers in a file that nobody reads do no harm; in the one that is read they are refused."""
    expected = write(tmp_path).state_dict()
    key = "lm_head.weight"
    numbers = {key: torch.zeros(expected[key].shape, dtype=torch.int8)}
    save_file(numbers, tmp_path / "model-00001-of-00001.safetensors", {"format": "pt"})
    index = {"metadata": {}, "weight_map": {key: "model-00001-of-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(read(tmp_path).llm.state_dict()[key], expected[key])
    whole = load_file(tmp_path / "model.safetensors")
    save_file(whole | numbers, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"model\.safetensors: lm_head\.weight must be float, got I8"):
        read(tmp_path)


def test_what_would_make_transformers_read_other_files_is_refused(tmp_path):
    write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"transformers_weights": "other.safetensors"}))
    with pytest.raises(BadInput, match=r"config\.json: transformers_weights must not be there, got other\.safetensors"):
        read(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"adapter_config\.json must not lie beside a whole model: .* model\.lora"):
        read(tmp_path)
    (tmp_path / "adapter_config.json").unlink()
    (tmp_path / "shard-00000-model-00001-of-00001.safetensors").touch()
    with pytest.raises(BadInput, match=r"safetensors is of a distributed checkpoint: save the model with save_pretr"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_model_does_not_change_with_the_file_that_it_was_read_from(tmp_path, suffix):
    expected = {key: value.clone() for key, value in write(tmp_path).state_dict().items()}
    split(tmp_path, 1, suffix)
    file = tmp_path / {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}[suffix]
    if suffix == "bin":
        (tmp_path / "model.safetensors").unlink()
    llm = read(tmp_path).llm
    content = file.read_bytes()
    with file.open("r+b") as same:  # the same inode, as a save over it would leave
        same.seek(len(content) // 4)
        same.write(bytes(len(content) // 2))
    assert all(torch.equal(llm.state_dict()[key], value) for key, value in expected.items())
