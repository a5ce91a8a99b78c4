"""A cell counts a LoRA folder by its bytes: its name says nothing, for every training has a checkpoint-100."""

import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from experiments.naming import register_resolvers

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "one" / "checkpoint-100"
    made.mkdir(parents=True)
    (made / "adapter_config.json").write_text("{}")
    (made / "adapter_model.safetensors").write_bytes(b"weights")
    return made


def cell(*overrides: str) -> str:
    register_resolvers("experiments")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True).hydra.run.dir


def test_an_adapter_anywhere_is_one_cell_and_another_of_its_name_is_another(folder, tmp_path):
    moved = tmp_path / "two" / folder.name
    shutil.copytree(folder, moved)
    first = cell(f"model.lora={folder}")
    assert first != cell()
    assert first == cell(f"model.lora={moved}")
    (moved / "adapter_model.safetensors").write_bytes(b"weights of another training")
    assert first != cell(f"model.lora={moved}")


def test_a_folder_that_is_none_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(Exception, match=r"model\.lora=.* must hold adapter_config\.json and one of adapter_model"):
        cell(f"model.lora={tmp_path}")
