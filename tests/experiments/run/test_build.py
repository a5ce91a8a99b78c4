"""One model at a time, where it was told to be: nothing of a run moves it, hashes it twice or keeps it too long."""

import gc
import weakref

import pytest
import torch
from lightning import LightningModule

from experiments.run import build
from intpv.cache import weights_hash

from ...tiny import tiny_model

ENCODER = {"hidden_size": 32}


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(build, "_loaded", None)


@pytest.fixture
def loads(monkeypatch):
    """What each load was given; a model of its own comes out, in a cycle as modules with hooks are."""
    given, alive = [], []

    def load(config, encoder=None):
        if encoder is None:
            return object()
        given.append(config)
        assert not [one for one in alive if one() is not None], "two models at once"
        model = tiny_model()
        model.llm.itself = [model]
        alive.append(weakref.ref(model.llm))
        return model

    monkeypatch.setattr(build, "instantiate", load)
    return given


def config(accelerator="cpu", **model):
    return {"encoder": ENCODER, "model": model, "trainer": {"accelerator": accelerator}}


@pytest.mark.slow
def test_a_sweep_over_seeds_of_a_checkpoint_loads_once_and_random_weights_are_drawn_for_each(loads):
    models = [build.model(config(weights="checkpoint", device="cpu", seed=seed)) for seed in (0, 1, 2)]
    assert len(loads) == 1
    assert models[0] is models[2]
    del models
    for more in ({"weights": "random", "device": "cpu"}, {"name": "random"}):
        before = len(loads)
        for seed in (0, 1):
            build.model(config(seed=seed, **more))
        assert len(loads) == before + 2


@pytest.mark.slow
def test_two_models_in_turn_never_live_together(loads):
    gc.disable()  # only what frees the old one itself counts
    try:
        for name in ("one", "other", "one"):
            build.model(config(name=name))
    finally:
        gc.enable()
    assert len(loads) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accelerator", "device", "told"),
    [("auto", "cpu", "cpu"), ("gpu", "cpu", "cpu"), ("cpu", "cuda:1", "cuda:1"), ("cpu", "auto", "cpu")],
)
def test_a_device_is_the_loaders_matter_and_auto_follows_the_trainer(loads, monkeypatch, accelerator, device, told):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *_: pytest.fail("moved"))
    build.model(config(accelerator, device=device))
    assert loads[0]["device"] == told


@pytest.mark.slow
@pytest.mark.parametrize(("accelerator", "moved"), [("auto", ["cuda", "cuda"]), ("cpu", []), ("mps", ["mps", "mps"])])
def test_without_a_device_a_model_goes_where_the_trainer_is(loads, monkeypatch, accelerator, moved):
    places = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, place: places.append(place) or self)
    build.model(config(accelerator, name="mini"))
    assert places == moved


@pytest.mark.slow
def test_two_cells_move_no_weight_and_hash_the_tower_once(evaluate, monkeypatch):
    hashed, held, digest = [], [], weights_hash._digest

    def moved(self):  # as from a GPU: Lightning calls it at the end of every run
        held.extend(self.parameters())
        return self._apply(torch.clone)

    monkeypatch.setattr(LightningModule, "cpu", moved)
    monkeypatch.setattr(weights_hash, "_digest", lambda tensors: hashed.append(1) or digest(tensors))
    for frames in (8, 16):
        assert evaluate("model=mini", "cache.max_gb=0", f"frames={frames}", "sweep.name=once")[0] == 0
    assert (len(hashed), held) == (1, [])


@pytest.mark.slow
def test_a_cell_leaves_nothing_that_holds_its_model(evaluate, monkeypatch):
    freed, make = [], build.instantiate

    def watched(config, **more):
        if "encoder" in more and before:
            freed.append(before() is None)
        return make(config, **more)

    before = None
    monkeypatch.setattr(build, "instantiate", watched)
    assert evaluate("model=mini", "kv_quant=int2", "sweep.name=first")[0] == 0
    before = weakref.ref(build._loaded[1].llm)
    assert evaluate("model=mini", "sweep.name=second", encoder="per_frame")[0] == 0
    assert freed == [True]
