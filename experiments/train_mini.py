"""Train the mini model and save it: python -m experiments.train_mini [steps=5800] [seed=0] [out=checkpoints/mini]

Resumes by itself from the checkpoint in `out`; about 40 minutes on two idle CPU cores.
"""

import sys
from dataclasses import asdict, fields
from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from intpv.flipbook.recipe import Lessons, Recipe
from intpv.flipbook.training import MiniTraining


def main() -> None:
    defaults = {"out": "checkpoints/mini", "save": "intpv/weights/mini", "threads": 0, "compile": True}
    defaults |= {"every": 200, "until": 0}  # steps: checkpoints, and where to stop before the recipe's end
    options = OmegaConf.merge({**defaults, **asdict(Recipe())}, OmegaConf.from_cli(sys.argv[1:]))
    recipe = Recipe(**{field.name: options[field.name] for field in fields(Recipe)})
    torch.set_num_threads(options.threads or torch.get_num_threads())
    module = MiniTraining(recipe)
    if options.compile:
        module.llm.model.compile(dynamic=False)
        module.encoder.compile(dynamic=False)
    last = Path(options.out) / "last.ckpt"
    start = torch.load(last, weights_only=False)["global_step"] if last.exists() else 0
    trainer = Trainer(
        max_steps=options.until or recipe.steps,
        precision="bf16-mixed",
        gradient_clip_val=1.0,
        logger=CSVLogger(options.out, name="", version=f"from-{start}"),
        callbacks=[ModelCheckpoint(options.out, save_last=True, save_top_k=0, every_n_train_steps=options.every)],
        log_every_n_steps=50,
        enable_model_summary=False,
    )
    lessons = DataLoader(
        Lessons(recipe, start, module.visual_length), batch_size=None, num_workers=1, prefetch_factor=4
    )
    trainer.fit(module, lessons, ckpt_path=str(last) if start else None, weights_only=False)
    module.export(Path(options.save))


if __name__ == "__main__":
    main()
