"""The trained models that come with the package: where the weights of a recipe and a seed lie. Loads no torch."""

from pathlib import Path

from intpv.bounds import shown
from intpv.errors import BadInput

WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED = WEIGHTS / "mini" / "0"  # the default


def shipped(recipe: object = "mini", seed: object = 0) -> Path:
    """The folder of a recipe (mini | mini_long | smollm2) and a training seed; BadInput where none is shipped."""
    recipes = sorted(folder.name for folder in WEIGHTS.iterdir() if folder.is_dir())
    if not isinstance(recipe, str) or recipe not in recipes:
        raise BadInput(f"model.recipe must be one that is shipped ({', '.join(recipes)}), got {shown(recipe)}")
    seeds = sorted(int(folder.name) for folder in (WEIGHTS / recipe).glob("[0-9]*"))
    if seed not in seeds:
        known = ", ".join(map(str, seeds))
        raise BadInput(f"model.seed must be of a training of {recipe} that is shipped ({known}), got {shown(seed)}")
    return WEIGHTS / recipe / str(seed)


def tuned(path: object, recipe: object, seed: object, name: object) -> Path:
    """The PEFT folder of model.tuned, an adapter that comes with a training. BadInput where the model is not a shipped
    one, and where none of this name comes with it."""
    if path is not None:
        raise BadInput(
            f"model.tuned={shown(name)} needs a model that is shipped, got model.path={path}: use model.lora"
        )
    folder = shipped(recipe, seed) / "tuned"
    names = sorted(one.name for one in folder.glob("*") if one.is_dir())
    if name not in names:
        known = ", ".join(names) or "none"
        raise BadInput(f"model.tuned must be one that comes with {recipe} {seed} ({known}), got {shown(name)}")
    return folder / str(name)
