"""Train a mini model and save it: python -m experiments.train_mini [model=mini_long] [seed=0] [out=checkpoints/mini]

Resumes by itself from the checkpoint in `out`, with the same result; an hour and a half on two idle CPU cores. The
model is saved once all steps are done, in out/model; save=intpv/weights/mini/0 puts it in the place of the one that is
shipped. Beside the weights lie training.csv, the curves, and in intpv.json the recipe and what it was made by.
"""

import csv
import json
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

from omegaconf import OmegaConf

from intpv.errors import BadInput
from intpv.flipbook.recipe import RECIPES, Geometry, Recipe
from intpv.record.atomic import write_json, write_text
from intpv.regular_file import size_of

from .run.command import command_line, read_command_line, show_config
from .run.messages import explained
from .run.options import nearest
from .run.provenance import provenance

AT_LEAST_ONE = ("steps", "batch", "window", "replay", "every")


@dataclass(frozen=True)
class Options(Recipe):
    """The recipe, and what does not shape the model."""

    model: str = "mini"  # mini | mini_long: whose recipe the other keys change
    out: str = "checkpoints/mini"  # checkpoints and losses
    save: str | None = None  # None is out/model
    threads: int = 0  # 0 is torch's own choice
    compile: bool = True
    every: int = 200  # steps from one checkpoint to the next
    until: int = 0  # steps, where to stop before the recipe's end; 0 is at its end

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = int(name in AT_LEAST_ONE)
            if isinstance(value, int | float) and not value >= least:
                raise BadInput(f"{name} must be at least {least}, got {value}")
        if self.until > self.steps:
            raise BadInput(f"until must be at most steps={self.steps}, got {self.until}")

    @property
    def recipe(self) -> Recipe:
        return Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})


def main() -> None:
    with explained("train_mini"):
        parser = command_line("train_mini", "Train the mini model and save it.")
        arguments = read_command_line(parser, "steps=4200, seed=1, save=FOLDER, ...")
        options = options_of(arguments.override)
        show_config(arguments.cfg, OmegaConf.structured(options))
        train(options)


def options_of(arguments: list[str]) -> Options:
    """BadInput for a key that there is not; OmegaConf's own errors for a value of another type."""
    known = [field.name for field in fields(Options)]
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        if not equals:
            raise BadInput(f"{argument} cannot be read: write key=value")
        if key not in known:
            raise BadInput(f"there is no key {key}{nearest(key, known)}")
    given = OmegaConf.from_dotlist(arguments)
    model = given.get("model", Options.model)
    if model not in RECIPES:
        raise BadInput(f"model must be {' or '.join(RECIPES)}, got {model}")
    recipe = Options(**asdict(RECIPES[model]))
    return cast(Options, OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(recipe), given)))


def train(options: Options) -> None:
    """All that is left of the steps; the model is saved where none is left."""
    import torch
    from lightning import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger
    from torch.utils.data import DataLoader

    from intpv.flipbook.training import Lessons, MiniTraining

    recipe, last = options.recipe, Path(options.out) / "last.ckpt"
    start = steps_done(last, {"recipe": asdict(recipe), "geometry": asdict(Geometry.of(recipe.window))})
    torch.set_num_threads(options.threads or torch.get_num_threads())
    module = MiniTraining(recipe)
    if options.compile:
        module.llm.model.compile(dynamic=False)
        module.encoder.compile(dynamic=False)
    part = Path(options.out) / f"from-{start}"
    trainer = Trainer(
        max_steps=options.until or recipe.steps,
        precision="32-true",  # bfloat16 is 20 times as slow where a CPU has no instruction for it
        gradient_clip_val=1.0,
        logger=CSVLogger(options.out, name="", version=part.name),
        callbacks=[ModelCheckpoint(options.out, save_last=True, save_top_k=0, every_n_train_steps=options.every)],
        log_every_n_steps=50,
        enable_model_summary=False,
    )
    lessons = DataLoader(
        Lessons(recipe, start, module.visual_length), batch_size=None, num_workers=1, prefetch_factor=4
    )
    part.parent.mkdir(parents=True, exist_ok=True)
    if start < recipe.steps:
        write_json(part.with_suffix(".json"), provenance())
    trainer.fit(module, lessons, ckpt_path=str(last) if start else None, weights_only=True)
    if trainer.global_step < recipe.steps:
        print(f"{trainer.global_step} of {recipe.steps} steps are done: the same command without until goes on")
        return
    folder, parts = Path(options.save or Path(options.out) / "model"), parts_of(Path(options.out))
    made_by = [{"from_step": step, **json.loads(part.with_suffix(".json").read_text())} for step, part in parts]
    module.export(folder, made_by)
    write_text(folder / "training.csv", training_table(parts))


def parts_of(out: Path) -> list[tuple[int, Path]]:
    """Where each start of a training began, and its folder."""
    return sorted((int(file.stem.removeprefix("from-")), file.with_suffix("")) for file in out.glob("from-*.json"))


def training_table(parts: list[tuple[int, Path]]) -> str:
    """One table of all parts' metrics; what a part did beyond its last checkpoint is the next part's to tell."""
    rows: list[dict[str, str]] = []
    for step, part in parts:
        rows = [row for row in rows if int(row["step"]) < step]
        if (metrics := part / "metrics.csv").exists():  # of a part that was long enough
            with metrics.open(newline="") as file:
                rows += csv.DictReader(file)
    names = sorted({name for row in rows for name in row} - {"step", "epoch"})
    table = StringIO()
    writer = csv.DictWriter(table, ["step", *names], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        seen = {name: f"{float(row[name]):.4g}" for name in names if row.get(name)}  # what can be seen in a curve
        writer.writerow({"step": row["step"], **seen})
    return table.getvalue()


def steps_done(checkpoint: Path, stated: dict[str, Any]) -> int:
    """Of an earlier run with the same recipe and geometry, 0 where there was none; no code in the file is run."""
    import torch

    try:
        size_of(checkpoint)
        held = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        steps, before = held["global_step"], held["hyper_parameters"]
    except FileNotFoundError:
        return 0
    except UnpicklingError:
        raise BadInput(f"{checkpoint} holds more than a training's state: delete it, or choose another out") from None
    except (RuntimeError, ValueError, EOFError, LookupError, TypeError) as error:
        reason = str(error).strip().splitlines()[0][:120]
        raise BadInput(f"{checkpoint} cannot be read, delete it or choose another out: {reason}") from None
    for part, values in stated.items():
        for key, value in values.items():
            if (was := before.get(part, {}).get(key)) != value:
                raise BadInput(f"{checkpoint} was begun with {key}={was}, got {value}: choose another out")
    return steps


if __name__ == "__main__":
    main()
