"""Names of folders: a LoRA counts by its bytes, for its name says nothing; a nameless sweep by what its cells are."""

import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from experiments.run.names import elsewhere, named, register_resolvers
from experiments.run.sweep_start import SweepStart
from experiments.sweep import launcher  # noqa: F401  registers itself with Hydra
from intpv.options import CONF
from intpv.shipped import shipped


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "one" / "checkpoint-100"
    made.mkdir(parents=True)
    (made / "adapter_config.json").write_text("{}")
    (made / "adapter_model.safetensors").write_bytes(b"weights")
    return made


def cell(*overrides: str) -> str:
    register_resolvers()
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


def test_two_trainings_in_folders_of_one_name_are_two_cells_and_a_moved_one_is_one(tmp_path):
    one, moved, other = (tmp_path / name / "model" for name in ("one", "moved", "other"))
    for folder, seed in ((one, 0), (moved, 0), (other, 1)):
        shutil.copytree(shipped("mini", seed), folder)
    assert cell(f"model.path={one}") == cell(f"model.path={moved}") != cell(f"model.path={other}")


def test_a_folder_that_is_none_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(Exception, match=r"model\.lora=.* must hold adapter_config\.json and one of adapter_model"):
        cell(f"model.lora={tmp_path}")


def sweep(*overrides: str) -> tuple[str, set[str]]:
    """A multirun's folder, and its parent's as each of its first two cells sees it."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        whole = loader.load_configuration("config", list(overrides), RunMode.MULTIRUN)
        found = whole.hydra.sweep.dir
        cells = [loader.load_sweep_config(whole, [f"frames={count}"]) for count in (8, 16)]
    return found, {one.hydra.sweep.dir for one in cells}


def test_cells_that_are_checked_before_the_sweep_begins_are_run_in_its_folder():
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        whole = loader.load_configuration("config", ["frames=8,16", "logger=none"], RunMode.MULTIRUN)
        SweepStart().on_multirun_start(whole)
        run = [loader.load_sweep_config(whole, [f"frames={count}", "logger=none"]).hydra.sweep.dir for count in (8, 16)]
    assert whole.hydra.sweep.dir.startswith("runs/frames-")
    assert run == [whole.hydra.sweep.dir] * 2


def test_a_nameless_sweep_has_a_folder_that_says_its_axes_and_all_its_cells_know_it():
    found, cells = sweep("frames=8,16", "kv_quant=none,int2", "rope_strategy=yarn")
    assert found.startswith("runs/frames-kv_quant-")
    assert cells == {found}


@pytest.mark.slow
@pytest.mark.parametrize(
    "again",
    [
        ("rope_strategy=yarn", "kv_quant=int2,none", "frames=16,8"),
        ("frames=8,16", "kv_quant=none,int2", "rope_strategy=yarn", "logger=none", "sweep.retry=all", "cache=off"),
        ("frames=8,16", "kv_quant=none,int2", "rope_strategy=yarn", "trainer.threads=1", "data.root=/elsewhere"),
        ("frames=8,16", "kv_quant=none,int2", "rope_strategy=yarn", "seed=0"),
    ],
)
def test_the_same_cells_go_on_in_the_same_folder(again):
    assert sweep(*again)[0] == sweep("frames=8,16", "kv_quant=none,int2", "rope_strategy=yarn")[0]


@pytest.mark.slow
def test_other_cells_have_another_folder():
    sweeps = [
        ("frames=8,16",),
        ("frames=8,32",),
        ("frames=8,16", "kv_quant=int2"),
        ("frames=8,16", "data.seed=1"),
        ("frames=8,16", "measure=full"),
        ("frames=8",),
        ("seed=1,2",),
    ]
    assert len({sweep(*one)[0] for one in sweeps}) == len(sweeps)


def test_what_an_experiment_sweeps_is_an_axis_too():
    found = [sweep("experiment=order", "sweep.name=null", *more)[0] for more in ((), ("frames=8,16",))]
    assert all(one.startswith("runs/frames-video.order-") for one in found)
    assert found[0] != found[1]


def test_a_name_that_is_given_is_the_name():
    assert sweep("frames=8,16", "sweep.name=mine")[0] == "runs/mine"
    assert sweep("frames=8,16", "experiment=order")[0] == "runs/order"
    assert cell("sweep.name=mine").startswith("runs/mine/")
    assert cell().startswith("runs/single/")


def test_the_override_that_one_cell_needs_leads_into_its_sweep():
    found = sweep("frames=8,16")[0]
    (again,) = named(nameless := {"sweep": {"name": None}}, Path(found, "a-cell"))
    assert cell("frames=8", again).startswith(f"{found}/")
    assert nameless["sweep"]["name"] == Path(found).name  # what a mirror calls its group
    assert named({"sweep": {"name": "mine"}}, Path("runs/mine/a-cell")) == []


@pytest.mark.parametrize("folder", ["/else/where/cell", "/with a space/it's, =and more/cell"])
def test_a_cell_outside_runs_is_repeated_in_its_folder(folder):
    assert elsewhere("grid", Path("runs/grid/cell").absolute()) == []
    (again,) = elsewhere("grid", Path(folder))
    (parsed,) = OverridesParser.create().parse_overrides([again])
    assert (parsed.key_or_group, parsed.value()) == ("hydra.run.dir", folder)
