"""What is shipped is found by recipe and seed, and what is not is refused by name, before any torch is loaded."""

import subprocess
import sys

import pytest

from intpv.errors import BadInput
from intpv.shipped import EMBEDDED, WEIGHTS, shipped, tuned


def test_every_folder_is_found_and_the_default_is_one_of_them():
    folders = {folder.parent for folder in WEIGHTS.glob("*/*/intpv.json")}
    assert {shipped(folder.parent.name, int(folder.name)) for folder in folders} == folders
    assert shipped() == EMBEDDED
    assert EMBEDDED in folders


@pytest.mark.parametrize(
    ("recipe", "seed", "said"),
    [
        ("mini", 99, r"model.seed must be of a training of mini that is shipped \(0.*\), got 99"),
        ("mini", "a", "model.seed .* got a"),
        ("mini", None, "model.seed .* got null"),
        ("maxi", 0, r"model.recipe must be one that is shipped \(mini.*\), got maxi"),
        ("../weights/mini", 0, "model.recipe .* got ../weights/mini"),
        (3, 0, "model.recipe .* got 3"),
    ],
)
def test_what_is_not_shipped_is_refused(recipe, seed, said):
    with pytest.raises(BadInput, match=said):
        shipped(recipe, seed)


def test_an_adapter_is_found_by_name_and_what_there_is_is_listed():
    assert tuned(None, "mini", 0, "int2") == EMBEDDED / "tuned/int2"
    with pytest.raises(BadInput, match=r"model.tuned must be one that comes with mini 0 \(int2, .*\), got int3"):
        tuned(None, "mini", 0, "int3")
    with pytest.raises(BadInput, match=r"model.tuned=int2 needs a model that is shipped, got model.path=mine"):
        tuned("mine", "mini", 0, "int2")


def test_no_torch_is_needed_to_know():
    code = "import sys, intpv.shipped; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
