"""Options by name: the same objects as on the command line."""

import pytest
from hydra import compose, initialize_config_dir

from intpv.bounds import check_list
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant
from intpv.options import CONF, option
from intpv.rope_strategy.yarn import YarnScaling


def test_an_option_is_what_its_yaml_says_with_what_it_inherits():
    kv = option("kv_quant", "int2")
    assert isinstance(kv, KVQuant)
    assert (kv.bits, kv.key_granularity) == (2, "channel")
    assert isinstance(option("rope_strategy", "yarn"), YarnScaling)


def test_fields_are_changed_by_name():
    assert option("rope_strategy", "yarn", factor=4).factor == 4
    assert option("kv_quant", "int2", sinks=0).sinks == 0


def test_it_is_made_anew_each_time_and_keeps_nothing_of_fields_given_before():
    kv = option("kv_quant", "int2")
    option("kv_quant", "int2", bits=8)
    assert option("kv_quant", "int2") == kv
    assert option("kv_quant", "int2") is not kv


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(BadInput, match=r"kv_quant must be one of .*int2.*, got int3"):
        option("kv_quant", "int3")


def test_it_may_be_used_inside_an_application_of_hydras():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        option("kv_quant", "int2")
        assert compose("rope_strategy/linear").rope_strategy.factor == "auto"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "must be a list of whole numbers, got 3"),
        ("012", "must be a list of whole numbers, got 012"),
        (None, "must be a list of whole numbers, got null"),
        ([0, -1], "each of kv_quant.skip_layers must be a whole number of at least 0, got -1"),
        ([True], "each of kv_quant.skip_layers must be a whole number of at least 0, got true"),
    ],
)
def test_a_list_is_one_of_whole_numbers(value, said):
    with pytest.raises(BadInput, match=said):
        check_list("kv_quant.skip_layers", value, 0)
