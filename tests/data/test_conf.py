"""Every YAML of the group is one benchmark with all its fields, in the file of its own name."""

from dataclasses import fields
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from intpv.data.benchmark import Benchmark

YAMLS = sorted((Path(__file__).parents[2] / "conf" / "data").glob("*.yaml"))


@pytest.fixture(params=YAMLS, ids=lambda path: path.stem)
def yaml(request) -> Path:
    return request.param


def test_every_option_instantiates_and_states_its_fields(yaml):
    options = OmegaConf.to_container(OmegaConf.load(yaml))
    benchmark = instantiate(options)
    assert isinstance(benchmark, Benchmark)
    assert benchmark.name == yaml.stem
    assert options.pop("_target_").startswith(f"intpv.data.{yaml.stem}.")
    assert set(options) == {field.name for field in fields(benchmark) if field.init}


def test_head_says_what_it_is_and_how_to_run_it(yaml):
    what, command, target = yaml.read_text().splitlines()[:3]
    assert what.startswith("# ")
    assert command.startswith(f"# python -m experiments.evaluate data={yaml.stem} ")
    assert target.startswith("_target_:")
