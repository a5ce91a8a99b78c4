"""Configs are code: every option of every group composes and instantiates, and states a target in its own tree."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from huggingface_hub import constants
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from experiments.run.names import register_resolvers
from experiments.run.options import GLOBAL
from intpv.errors import BadInput
from intpv.model.loading import smollm2_base

CONF = Path(__file__).parents[2] / "conf"
NO_GROUP = (*GLOBAL, "sweep", "wandb")  # nothing is made of their options
OPTIONS = sorted((file.parent.name, file.stem) for file in CONF.glob("*/*.yaml") if file.parent.name not in NO_GROUP)
EXAMPLE = {"hf_llava": "llava-hf/llava-1.5-7b-hf"}  # models that have no checkpoint of their own, and what they name
NEEDED = {"smollm2": smollm2_base.PACKAGE}  # models whose base is a package beside the environment
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
SPELT_OTHERWISE = {
    "cache",
    "data",
    "logger",
    "measure",
    "model",
    "passes",
    "trainer",
    "video",
}  # groups whose targets are not <group>/<option>.py


@pytest.fixture(scope="module", autouse=True)
def _hydra():
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.mark.slow
@pytest.mark.parametrize(("group", "option"), [pair for pair in OPTIONS if pair[0] != "model"])
def test_every_option_instantiates(group, option):
    config = compose("config", [f"{group}={option}"])[group]
    plain = OmegaConf.to_container(config, resolve=True)
    if group == "trainer":
        plain.pop("threads")  # ours, not Lightning's
    assert instantiate(plain) is not None
    if group not in SPELT_OTHERWISE and group != "kv_quant":
        assert plain["_target_"].startswith(f"intpv.{group}.{option}.")


@pytest.mark.slow
@pytest.mark.parametrize("model", [option for group, option in OPTIONS if group == "model"])
def test_every_model_loads_or_says_how_to_download_it(model, tmp_path, monkeypatch):
    """Without a network and with an empty cache; the encoder is the one that the option itself chooses."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    config = OmegaConf.to_container(compose("config", [f"model={model}"]), resolve=True)
    repository, encoder = config["model"].get("path") or EXAMPLE.get(model), instantiate(config["encoder"])
    if repository is None and (model not in NEEDED or find_spec(NEEDED[model])):
        assert not any(weight.is_meta for weight in instantiate(config["model"], encoder=encoder).llm.parameters())
        return
    with pytest.raises(InstantiationException) as refused:
        instantiate(config["model"], encoder=encoder)
    assert isinstance(refused.value.__cause__, BadInput)
    assert ("make smol" if model in NEEDED else f"hf download {repository} --local-dir") in str(refused.value.__cause__)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes(experiment):
    config = compose("config", [f"experiment={experiment}"], return_hydra_config=True)
    assert config.sweep.name == experiment.removesuffix("_controls")  # which go into the folder of what they control
    groups = {"rope_strategy", "kv_quant", "rearranger", "budget", "kv_evict"}
    assert {key.split(".")[0] for key in config.hydra.sweeper.params} <= groups | {"frames", "video", "model"}


def test_the_experiment_of_strategies_has_all_of_them():
    swept = compose("config", ["experiment=strategies"], return_hydra_config=True).hydra.sweeper.params.rope_strategy
    assert sorted(swept.split(",")) == [option for group, option in OPTIONS if group == "rope_strategy"]


@pytest.mark.parametrize("concern", ["data", "model"])
def test_the_report_of_all_studies_allows_what_their_cells_differ_in(concern):
    makefile = (CONF.parent / "Makefile").read_text()
    (studies,) = re.findall(r"^STUDIES := (.+)$", makefile, re.MULTILINE)
    composed = [compose("config", [f"experiment={study}"], return_hydra_config=True) for study in studies.split()]
    swept = {key.split(".")[0] for config in composed for key in config.hydra.sweeper.params}
    set_so = {OmegaConf.to_yaml(config[concern], resolve=False) for config in composed}
    differ = concern in swept or len(set_so) > 1
    assert differ
    assert concern in re.findall(r"--across (\w+)", makefile)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_says_what_it_is_and_how_to_run_it(group, option):
    head = (CONF / group / f"{option}.yaml").read_text().splitlines()[:2]
    assert head[0].startswith("# ")
    assert head[1].startswith("# python -m experiments.")


SHARED = sorted(str(file.relative_to(CONF)) for file in CONF.glob("*/base/*.yaml"))


@pytest.mark.parametrize("file", SHARED)
def test_what_options_inherit_is_put_into_their_group_and_inherited_at_least_twice(file):
    group, _, name = file.split("/")
    package, what = (CONF / file).read_text().splitlines()[:2]
    assert package == f"# @package {group}"
    assert what.startswith("# ")
    heirs = [other for other in (CONF / group).rglob("*.yaml") if Path(name).stem in _inherited(other)]
    assert len(heirs) >= 2


def _inherited(file: Path) -> list[str]:
    defaults = OmegaConf.load(file).get("defaults", [])
    return [str(entry).removeprefix("base/") for entry in defaults if isinstance(entry, str)]


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_a_comment_stands_one_blank_behind_its_value(group, option):
    assert not re.search(r"\S {2,}# ", (CONF / group / f"{option}.yaml").read_text())
