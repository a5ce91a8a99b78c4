"""Every YAML of the group is one strategy with all its fields at their defaults, in the file of its own name."""

from dataclasses import fields

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from intpv.options import CONF
from intpv.rope_strategy.strategy import RopeStrategy


def test_every_option_instantiates(strategy):
    assert isinstance(strategy, RopeStrategy)


def test_target_is_the_file_of_the_same_name(yaml):
    assert OmegaConf.load(yaml)._target_.startswith(f"intpv.rope_strategy.{yaml.stem}.")


def test_every_field_can_be_overridden_and_starts_at_its_default(yaml, strategy):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        options = OmegaConf.to_container(compose(f"rope_strategy/{yaml.stem}").rope_strategy)
    del options["_target_"]
    assert options == {field.name: field.default for field in fields(strategy)}


def test_head_says_what_it_is_and_how_to_run_it(yaml):
    what, command, inherited, target = yaml.read_text().splitlines()[:4]
    assert what.startswith("# ")
    assert command.startswith(f"# python -m experiments.evaluate rope_strategy={yaml.stem} ")
    assert inherited == "defaults: [base/scaling, _self_]"
    assert target.startswith("_target_:")
