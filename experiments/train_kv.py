"""Train an adapter for a quantised KV cache: python -m experiments.train_kv [kv_quant=int2] [target=answers] [seed=0]

LoRA in the mini's decoder, which learns to answer beside a prefix as the policy stores it (target=answers), or to say
what it said before, beside one in full precision (target=self). Two minutes on an idle CPU core; resumes by itself from
the checkpoint in `out`, with the same result. The PEFT folder out/model is what model.lora takes.
"""

from dataclasses import asdict, dataclass

from omegaconf import OmegaConf

from intpv.flipbook.recipe import Geometry, KVRecipe, plain_recipe

from .run.command import command_line, read_command_line, show_config
from .run.messages import explained
from .run.training import Running, check_least, fit, parsed, recipe_of


@dataclass(frozen=True)
class Options(Running, KVRecipe):
    """The recipe, and what does not shape the adapter."""

    out: str = "checkpoints/kv"
    every: int = 50
    compile: bool = False  # a cache comes and goes in every step

    def __post_init__(self) -> None:
        check_least(asdict(self))

    @property
    def recipe(self) -> KVRecipe:
        return recipe_of(self, KVRecipe)


def main() -> None:
    with explained("train_kv"):
        parser = command_line("train_kv", "Train an adapter of the mini model for a quantised KV cache.")
        arguments = read_command_line(parser, "kv_quant=int4, target=self, seed=1, save=FOLDER, ...")
        options = parsed(arguments.override, Options())
        show_config(arguments.cfg, OmegaConf.structured(options))
        adapt(options)


def adapt(options: Options) -> None:
    """All that is left of the steps; the adapter is saved where none is left."""
    recipe = options.recipe

    def make():
        from intpv.encoder.languagebind import LanguageBind
        from intpv.flipbook.kv_training import KVTraining
        from intpv.model.mini import load
        from intpv.options import option

        model = load(LanguageBind(**Geometry().encoder), seed=recipe.seed)
        return KVTraining(recipe, model, option("kv_quant", recipe.kv_quant))

    def batch_of(module):
        from intpv.flipbook.kv_training import VideoAlone

        return VideoAlone(recipe, module.tokenizer, module.prompt, module.visual_length)

    fit(make, batch_of, {"recipe": plain_recipe(recipe)}, recipe.steps, options)


if __name__ == "__main__":
    main()
