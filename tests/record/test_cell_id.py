"""The cell's hash sees what changes a result and nothing else."""

import copy
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.record.cell_id import cell_name, config_hash

CONF = Path(__file__).parents[2] / "conf"
CONFIG = {
    "frames": 32,
    "seed": 0,
    "model": {
        "_target_": "intpv.model.X",
        "checkpoint": "/data/models/llava-7b",
        "path": "checkpoints/seed0",
        "dtype": "bfloat16",
    },
    "data": {"name": "msvd_qa", "root": "/data/msvd", "limit": None, "num_workers": 4},
    "video": {"decoder": "pyav", "threads": 1},
    "rope_strategy": {"_target_": "intpv.rope_strategy.yarn.Yarn", "factor": "auto", "trained": [8, 256]},
    "trainer": {"devices": 1, "accelerator": "cpu", "precision": "32-true"},
    "cache": {"features": True},
    "logger": {"project": "intpv"},
}


def changed(path, value):
    config = copy.deepcopy(CONFIG)
    *groups, key = path.split(".")
    node = config
    for group in groups:
        node = node[group]
    node[key] = value
    return config


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.checkpoint", "/elsewhere/llava-7b/"),
        ("model.path", "/elsewhere/seed0"),
        ("data.root", "/mnt/msvd"),
        ("data.video_dir", "/mnt/msvd/videos"),
        ("data.num_workers", 0),
        ("video.threads", 8),
        ("trainer.devices", 4),
        ("trainer.accelerator", "gpu"),
        ("cache", None),
        ("logger", {"project": "other"}),
        ("launcher", "joblib"),
        ("sweep", "another"),
        ("hydra", {"job": {"num": 3}}),
    ],
)
def test_place_machine_and_mirror_do_not_count(path, value):
    assert config_hash(changed(path, value)) == config_hash(CONFIG)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("frames", 64),
        ("seed", 1),
        ("model.checkpoint", "/data/models/llava-13b"),
        ("model.path", "checkpoints/seed1"),
        ("model._target_", "intpv.model.Y"),
        ("model.dtype", "float32"),
        ("data.name", "msrvtt_qa"),
        ("data.limit", 10),
        ("video.decoder", "decord"),
        ("rope_strategy.factor", 4),
        ("rope_strategy.trained", [16, 256]),
        ("trainer.precision", "bf16-true"),
    ],
)
def test_everything_that_changes_a_result_counts(path, value):
    assert config_hash(changed(path, value)) != config_hash(CONFIG)


@given(st.permutations(list(CONFIG)))
def test_the_order_of_keys_does_not_count(keys):
    assert config_hash({key: CONFIG[key] for key in keys}) == config_hash(CONFIG)


def test_hashing_leaves_the_config_alone():
    before = copy.deepcopy(CONFIG)
    config_hash(CONFIG)
    assert before == CONFIG


def test_the_name_is_made_for_reading():
    digest = config_hash(CONFIG)
    parts = {"rearranger": "strided", "rope": "yarn", "frames": 32, "kv": "int2", "limit": None, "hash": digest}
    assert cell_name(parts) == f"strided-yarn-f32-int2-{digest[:8]}"


def test_the_name_is_one_safe_folder():
    name = cell_name({"model": "LanguageBind/Video LLaVA-7B", "frames": 8})
    assert name == "LanguageBind_Video_LLaVA_7B-f8"


def test_a_file_that_moves_renames_no_cell_and_another_class_does():
    def hashed(target: str) -> str:
        return config_hash({"frames": 8, "scorer": {"_target_": target}})

    assert hashed("intpv.scorer.options.Options") == hashed("intpv.elsewhere.Options")
    assert hashed("intpv.scorer.options.Options") != hashed("intpv.scorer.contains.Contains")
    assert hashed("intpv.model.mini.load") != hashed("intpv.model.random.load")
    assert hashed("intpv.model.hf_llava.HFLlava.load") != hashed("intpv.model.qwen3_vl.Qwen3VL.load")
    assert hashed("mine.options.Options") != hashed("theirs.options.Options")  # whose files we do not know
    assert hashed("mine.options.Options") != hashed("intpv.scorer.options.Options")


def test_every_target_of_conf_counts_as_another():
    files = [file.read_text(encoding="utf-8") for file in CONF.rglob("*.yaml")]
    targets = {target for text in files for target in re.findall(r"_target_: *(\S+)", text)}
    assert len(targets) > 30
    assert len({config_hash({"_target_": target}) for target in targets}) == len(targets)
