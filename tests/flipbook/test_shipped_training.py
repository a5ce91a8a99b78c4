"""What is shipped was trained by the recipe in the code, from a clean commit, to its end; its curves lie beside it."""

import csv
import json
from dataclasses import asdict, replace

import pytest

from intpv.flipbook.recipe import RECIPES, AdapterRecipe, KVRecipe, plain_recipe
from intpv.shipped import WEIGHTS

NOTES = {file.parent: json.loads(file.read_text())["training"] for file in sorted(WEIGHTS.glob("*/*/intpv.json"))}
FOLDERS = {f"{folder.parent.name}-{folder.name}": folder for folder in NOTES}
EVERY = {**RECIPES, "smollm2": AdapterRecipe()}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_recipe_is_the_codes(name):
    folder = FOLDERS[name]
    assert NOTES[folder]["recipe"] == plain_recipe(replace(EVERY[folder.parent.name], seed=int(folder.name)))


@pytest.mark.parametrize("name", FOLDERS)
def test_it_was_made_by_one_command_from_one_clean_commit(name):
    parts, verb = NOTES[FOLDERS[name]]["made_by"], "train_smollm2" if "smollm2" in name else "train_mini"
    assert parts[0]["from_step"] == 0
    assert all(part["clean"] for part in parts)
    assert len({part["commit"] for part in parts}) == 1
    assert all(f"experiments.{verb} " in part["command"] for part in parts)
    assert not any("/" in part["command"] for part in parts)  # a folder of the machine is nobody's to read


@pytest.mark.parametrize("name", FOLDERS)
def test_its_curves_go_to_the_end_of_the_recipe(name):
    with (FOLDERS[name] / "training.csv").open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == sorted(steps)
    assert steps[-1] >= NOTES[FOLDERS[name]]["recipe"]["steps"] - 100


TUNED = {
    "-".join((*file.parts[-5:-3], file.parts[-2])): json.loads(file.read_text())
    for file in sorted(WEIGHTS.glob("mini*/*/tuned/*/intpv.json"))
}


@pytest.mark.parametrize("name", TUNED)
def test_an_adapter_was_trained_by_its_recipe_from_one_clean_commit(name):
    recipe, parts = TUNED[name]["recipe"], TUNED[name]["made_by"]
    kv_quant, target, seed = (recipe[field] for field in ("kv_quant", "target", "seed"))
    assert {**recipe, "targets": tuple(recipe["targets"])} == asdict(KVRecipe(kv_quant, target, seed=seed))
    assert name == f"mini-{seed}-{kv_quant}{'_self' * (target == 'self')}"
    assert parts[0]["from_step"] == 0
    assert all(part["clean"] and "experiments.train_kv" in part["command"] for part in parts)
    assert len({part["commit"] for part in parts}) == 1


def test_together_they_are_small():
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*.safetensors") if "calibration" not in file.name) < 28e6
