"""Teach SmolLM2-135M-Instruct flipbook: python -m experiments.train_smollm2 [seed=0] [out=checkpoints/smollm2]

A projector for the mini's frozen tower, and LoRA in the decoder. Resumes by itself from the checkpoint in `out`, with
the same result; two to three hours on two idle CPU cores, minutes on a GPU. The adapter is saved once all steps are
done, in out/model; save=intpv/weights/smollm2/0 puts it in the place of the one that is shipped. Beside it lie
training.csv, the curves, and in intpv.json the recipe, what it was made by, and the perplexity of other text.
"""

from dataclasses import asdict, dataclass

from omegaconf import OmegaConf

from intpv.flipbook.recipe import AdapterRecipe, plain_recipe
from intpv.model.loading import smollm2_base

from .run.command import command_line, read_command_line, show_config
from .run.messages import explained
from .run.training import Running, check_least, fit, parsed, recipe_of


@dataclass(frozen=True)
class Options(Running, AdapterRecipe):
    """The recipe, and what does not shape the adapter."""

    base: str | None = None  # None is what `make smol` installs; or a folder of the language model in safetensors
    cache_dir: str = "~/.cache/intpv/models"
    out: str = "checkpoints/smollm2"
    every: int = 50

    def __post_init__(self) -> None:
        check_least(asdict(self))

    @property
    def recipe(self) -> AdapterRecipe:
        return recipe_of(self, AdapterRecipe)


def main() -> None:
    with explained("train_smollm2"):
        parser = command_line("train_smollm2", "Teach SmolLM2-135M-Instruct flipbook and save what it learnt.")
        arguments = read_command_line(parser, "steps=1300, seed=1, save=FOLDER, ...")
        options = parsed(arguments.override, Options())
        show_config(arguments.cfg, OmegaConf.structured(options))
        teach(options)


def teach(options: Options) -> None:
    """All that is left of the steps; the adapter is saved where none is left."""
    recipe, folder = options.recipe, smollm2_base.ready_base(options.base, options.cache_dir)
    sha256 = smollm2_base.weights_sha256(folder)

    def make():
        from intpv.flipbook.adapter import AdapterTraining
        from intpv.model.loading.folder import read_folder

        return AdapterTraining(recipe, *read_folder(folder, "LlamaForCausalLM", "float32", "cpu"), sha256)

    def batch_of(module):
        from intpv.flipbook.adapter import VideoLessons

        return VideoLessons(recipe, module.tokenizer, module.visual_length)

    fit(make, batch_of, {"recipe": plain_recipe(recipe), "base_sha256": sha256}, recipe.steps, options)


if __name__ == "__main__":
    main()
