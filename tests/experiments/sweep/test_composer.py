"""Composed cells, judged by Hydra: whatever is overridden, and in whatever order, the config is the one it composes."""

import random
from itertools import product
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from experiments.run.cell_config import plain_config, without_hydra
from experiments.run.names import register_resolvers
from experiments.sweep.composer import Composer
from intpv.options import CONF

PRODUCT = [
    ["rope_strategy=none", "rope_strategy=yarn", "rope_strategy=ntk"],
    ["rearranger=random", "rearranger=strided"],  # the first refers to the seed
    ["model=mini", "model=random", "model=smollm2"],  # the last chooses an encoder
    ["frames=8", "frames=32"],
    ["seed=0", "seed=7"],
    ["video.seed=3"],
    ["sweep.name=x"],
]
SINGLE = [
    ["+model.llm.rope_theta=5", "frames=8"],
    ["~measure.figures", "frames=8"],
    ["++frames=16", "rope_strategy=yarn"],
    ["data.regimes=[slow]", "rope_strategy=yarn"],
    ["cache={dir: elsewhere}", "frames=16"],
    ["rope_strategy=yarn", "rope_strategy.factor=2"],
    ["rope_strategy=ntk", "rope_strategy.factor=auto"],
    ["rope_strategy=ntk", "rope_strategy.factor=${frames}"],
    ["video.seed=${max_new_tokens}", "max_new_tokens=5"],
    ["video.seed=${max_new_tokens}", "max_new_tokens=6"],
    ["experiment=smoke", "kv_quant=int2"],
    ["experiment=smoke", "kv_quant=none", "frames=64"],
    ["debug=default", "kv_quant=none"],
    ["data.limit=null", "logger=none"],
    ["data.limit=3", "logger=csv"],
    ["sweep.name='a b'", "cache=off"],
    ["hydra.sweep.dir='elsewhere/${seed}'", "seed=3"],
    [],
]


@pytest.fixture(scope="module")
def hydra():
    """(the loader, a multirun's own config)."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield loader, loader.load_configuration("config", ["sweep.name=x"], RunMode.MULTIRUN, from_shell=False)


def assert_equal(composer, loader, master, overrides):
    config, plain, choices = composer.composed(master, overrides)
    judge = loader.load_sweep_config(master, list(overrides))
    assert OmegaConf.to_container(config, resolve=False) == OmegaConf.to_container(judge, resolve=False)
    resolved = OmegaConf.to_container(without_hydra(judge), resolve=True)
    assert list(plain.items()) == list(resolved.items())
    assert plain_config(judge) == resolved
    assert choices == judge.hydra.runtime.choices
    assert (
        composer.planned(master, overrides).folder == Path(judge.hydra.sweep.dir, judge.hydra.sweep.subdir).absolute()
    )


@pytest.mark.slow
def test_a_product_in_any_order_is_what_hydra_composes(hydra):
    loader, master = hydra
    cells = list(product(*PRODUCT))
    random.Random(0).shuffle(cells)
    composer = Composer(loader)
    for place, overrides in enumerate(cells):
        composer.composed(master, overrides)
        if place % 9 == 0:
            assert_equal(composer, loader, master, overrides)
    assert composer._trusted


@pytest.mark.slow
@pytest.mark.parametrize("overrides", SINGLE, ids=",".join)
def test_every_kind_of_override_is_what_hydra_makes_of_it(hydra, overrides):
    loader, master = hydra
    composer = Composer(loader)
    for other in (["rope_strategy=none", "frames=24"], overrides, ["frames=8", "seed=2"], overrides):
        composer.composed(master, other)
    assert_equal(composer, loader, master, overrides)
