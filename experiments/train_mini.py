"""Train a mini model and save it: python -m experiments.train_mini [model=mini_long] [seed=0] [out=checkpoints/mini]

Resumes by itself from the checkpoint in `out`, with the same result; an hour and a half on two idle CPU cores. The
model is saved once all steps are done, in out/model; save=intpv/weights/mini/0 puts it in the place of the one that is
shipped. Beside the weights lie training.csv, the curves, and in intpv.json the recipe and what it was made by.
"""

from dataclasses import asdict, dataclass

from omegaconf import OmegaConf

from intpv.errors import BadInput
from intpv.flipbook.recipe import RECIPES, Geometry, Recipe

from .run.command import command_line, read_command_line, show_config
from .run.messages import explained
from .run.training import Running, check_least, fit, parsed, recipe_of


@dataclass(frozen=True)
class Options(Running, Recipe):
    """The recipe, and what does not shape the model."""

    model: str = "mini"  # mini | mini_long: whose recipe the other keys change
    out: str = "checkpoints/mini"

    def __post_init__(self) -> None:
        check_least(asdict(self))

    @property
    def recipe(self) -> Recipe:
        return recipe_of(self, Recipe)


def main() -> None:
    with explained("train_mini"):
        parser = command_line("train_mini", "Train the mini model and save it.")
        arguments = read_command_line(parser, "steps=4800, seed=1, save=FOLDER, ...")
        options = options_of(arguments.override)
        show_config(arguments.cfg, OmegaConf.structured(options))
        train(options)


def options_of(arguments: list[str]) -> Options:
    """The recipe of the model that is named, as the others change it."""
    model = parsed([one for one in arguments if one.startswith("model=")], Options()).model
    if model not in RECIPES:
        raise BadInput(f"model must be {' or '.join(RECIPES)}, got {model}")
    return parsed(arguments, Options(**asdict(RECIPES[model])))


def train(options: Options) -> None:
    """All that is left of the steps; the model is saved where none is left."""
    recipe = options.recipe

    def make():
        from intpv.flipbook.training import MiniTraining

        return MiniTraining(recipe)

    def batch_of(module):
        from intpv.flipbook.training import Lessons

        return Lessons(recipe, module.visual_length)

    stated = {"recipe": asdict(recipe), "geometry": asdict(Geometry.of(recipe.window))}
    fit(make, batch_of, stated, recipe.steps, options)


if __name__ == "__main__":
    main()
