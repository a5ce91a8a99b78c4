"""Training: what the verbs that train share. A run resumes by itself, with the same result, and keeps its curves."""

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, TypeVar, cast

from omegaconf import OmegaConf

from intpv.errors import BadInput
from intpv.record.atomic import write_json, write_text
from intpv.regular_file import size_of

from .options import nearest
from .provenance import provenance

if TYPE_CHECKING:  # these load torch, which a wrong option need not wait for
    from intpv.flipbook.batch import Batch
    from intpv.flipbook.training_base import LessonTraining

AT_LEAST_ONE = (
    "steps",
    "batch",
    "window",
    "replay",
    "every",
    "align_batch",
    "rank",
    "alpha",
    "text_every",
    "text_length",
)


@dataclass(frozen=True)
class Running:
    """What does not shape the model."""

    out: str = "checkpoints"  # checkpoints and losses
    save: str | None = None  # None is out/model
    threads: int = 0  # 0 is torch's own choice
    compile: bool = True
    every: int = 200  # steps from one checkpoint to the next
    until: int = 0  # steps, where to stop before the recipe's end; 0 is at its end


Given = TypeVar("Given")


def parsed(arguments: list[str], usual: Given) -> Given:
    """`usual`, a dataclass, as key=value change it. BadInput for a key that there is not; OmegaConf's own errors for a
    value of another type."""
    known = [field.name for field in fields(cast(Any, usual))]
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        if not equals:
            raise BadInput(f"{argument} cannot be read: write key=value")
        if key not in known:
            raise BadInput(f"there is no key {key}{nearest(key, known)}")
    merged = OmegaConf.merge(OmegaConf.structured(usual), OmegaConf.from_dotlist(arguments))
    return cast(Given, OmegaConf.to_object(merged))


def recipe_of(options: Running, kind: type[Given]) -> Given:
    """What of a verb's options shapes the model; OmegaConf makes lists of tuples."""
    named = {field.name: getattr(options, field.name) for field in fields(cast(Any, kind))}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in named.items()})


def check_least(values: Mapping[str, Any]) -> None:
    """BadInput for numbers that shape no training."""
    for name, value in values.items():
        least = int(name in AT_LEAST_ONE)
        if isinstance(value, int | float) and not value >= least:
            raise BadInput(f"{name} must be at least {least}, got {value}")
    if values["until"] > values["steps"]:
        raise BadInput(f"until must be at most steps={values['steps']}, got {values['until']}")


def fit(
    make: Callable[[], "LessonTraining"],
    batch_of: Callable[["LessonTraining"], Callable[[int], "Batch"]],
    stated: Mapping[str, Any],
    steps: int,
    running: Running,
) -> None:
    """All that is left of the steps; the model is saved where none is left. `batch_of` gives a module's batch of a
    step, `stated` is what a checkpoint must have been begun with."""
    import torch
    from lightning import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger
    from torch.utils.data import DataLoader

    from intpv.flipbook.batch import Batches

    out, last = Path(running.out), Path(running.out) / "last.ckpt"
    start = steps_done(last, stated)
    torch.set_num_threads(running.threads or torch.get_num_threads())
    module = make()
    if running.compile:
        module.llm.model.compile(dynamic=False)
        module.encoder.compile(dynamic=False)
    part = out / f"from-{start}"
    trainer = Trainer(
        max_steps=running.until or steps,
        precision="32-true",  # bfloat16 is 20 times as slow where a CPU has no instruction for it
        gradient_clip_val=1.0,
        logger=CSVLogger(out, name="", version=part.name),
        callbacks=[ModelCheckpoint(out, save_last=True, save_top_k=0, every_n_train_steps=running.every)],
        log_every_n_steps=50,
        enable_model_summary=False,
    )
    lessons = DataLoader(Batches(batch_of(module), start, steps), batch_size=None, num_workers=1, prefetch_factor=4)
    out.mkdir(parents=True, exist_ok=True)
    if start < steps:
        write_json(part.with_suffix(".json"), provenance())
    trainer.fit(module, lessons, ckpt_path=str(last) if start else None, weights_only=True)
    if trainer.global_step < steps:
        print(f"{trainer.global_step} of {steps} steps are done: the same command without until goes on")
        return
    folder, parts = Path(running.save or out / "model"), parts_of(out)
    module.export(folder, [made_by(step, part) for step, part in parts])
    write_text(folder / "training.csv", training_table(parts))


def made_by(step: int, part: Path) -> dict[str, Any]:
    """Of one start; folders of the machine by their names alone, for the model may be published."""
    found = json.loads(part.with_suffix(".json").read_text())
    return {"from_step": step, **found, "command": re.sub(r"\b(out|save)=[^\s=]*/", r"\1=", found["command"])}


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


def steps_done(checkpoint: Path, stated: Mapping[str, Any]) -> int:
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
    known = _settings(before)
    for (part, key), value in _settings(stated).items():
        if (was := known.get((part, key))) != value:
            raise BadInput(f"{checkpoint} was begun with {key}={was}, got {value}: choose another out")
    return steps


def _settings(stated: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Of each part, recipe or geometry, its keys; what is no table is a part of its own."""
    tables = {part: one if isinstance(one, Mapping) else {part: one} for part, one in stated.items()}
    return {(part, key): value for part, table in tables.items() for key, value in table.items()}
