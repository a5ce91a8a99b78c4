"""Configs are code: every option of every group composes and instantiates, and states a target in its own tree."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from experiments.naming import register_resolvers

CONF = Path(__file__).parents[2] / "conf"
OPTIONS = sorted(
    (file.parent.name, file.stem) for file in CONF.glob("*/*.yaml") if file.parent.name not in ("experiment", "sweep")
)
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
SPELT_OTHERWISE = {
    "cache",
    "data",
    "logger",
    "measure",
    "model",
    "trainer",
    "video",
}  # groups whose targets are not <group>/<option>.py


@pytest.fixture(scope="module", autouse=True)
def _hydra():
    register_resolvers("experiments")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.mark.parametrize(("group", "option"), [pair for pair in OPTIONS if pair[0] != "model"])
def test_every_option_instantiates(group, option):
    config = compose("config", [f"{group}={option}"])[group]
    plain = OmegaConf.to_container(config, resolve=True)
    if group == "trainer":
        plain.pop("threads")  # ours, not Lightning's
    assert instantiate(plain) is not None
    if group not in SPELT_OTHERWISE and group != "kv_quant":
        assert plain["_target_"].startswith(f"intpv.{group}.{option}.")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes(experiment):
    config = compose("config", [f"experiment={experiment}"], return_hydra_config=True)
    assert config.sweep.name == experiment
    assert set(config.hydra.sweeper.params) <= {"rope_strategy", "frames", "kv_quant", "rearranger"}


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_says_what_it_is_and_how_to_run_it(group, option):
    head = (CONF / group / f"{option}.yaml").read_text().splitlines()[:2]
    assert head[0].startswith("# ")
    assert head[1].startswith("# python -m experiments.")
