"""One cell: a plain config in, a finished run folder out."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from lightning import Callback, seed_everything
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from intpv.attention_kl.on_disk import StoredSums
from intpv.errors import BadInput
from intpv.inference.inference import Watched
from intpv.inference.viewing import Clips, Loaded
from intpv.logger.mirror import Mirror, NullMirror, only_warn
from intpv.metrics.cell import cell_metrics
from intpv.metrics.signatures.in_words import shown
from intpv.model.loading.generation import in_words, not_followed
from intpv.record.environment import environment
from intpv.record.lock import lock
from intpv.record.run_folder import RunFolder
from intpv.record.samples import VideoFigures
from intpv.video.strip import strip

from .ahead import Ahead
from .cell_config import CellConfig
from .open_cell import Keep, OpenCell, open_cell
from .outcome import stops_everything
from .progress import Progress
from .provenance import of_cell
from .quiet import quiet
from .ranks import SINGLE, Appended, RankFailed, end_with_the_first, predict, rank_of, settle, share_of
from .sibling import analysis
from .threads import set_threads

SHOWN = 64  # frames of a video in a logger's table, at most
LOOKED_UP = 100  # questions, to tell whether the model knows their words

# Write: each video's answers and measures are on disk before the next one is watched.


class Write(Callback):
    """What of a video is kept, and then asked ahead; told and mirrored after that."""

    def __init__(self, cell: OpenCell, progress: Progress, logger: Mirror, ahead: Ahead, others: bool):
        self.cell, self.progress, self.logger, self.ahead = cell, progress, logger, ahead
        self.others = Appended(cell.run.path / "samples.jsonl") if others else None  # to be told of here
        self.shown = 0

    def on_predict_batch_end(self, trainer, module, outputs: Watched, batch: Loaded, batch_idx, dataloader_idx=0):
        prefixes, viewer = self.cell.module.prefixes, self.cell.viewer
        self.cell.keep(batch.item.id, outputs)
        if prefixes.is_passing(batch.item.id):
            self.ahead.ask(batch)
            prefixes.pass_on(True)  # the next one's place
        if self.others:
            self.tell()
        else:
            self.progress.video_done(len(outputs.records), outputs.fetched)
        with only_warn(self.logger):  # the answers are safe
            if self.shown < self.logger.strips:
                self.shown += 1
                unseen = batch.error or viewer.reader.blind
                frames = None if unseen else batch.frames or viewer.frames(batch.item)
                seen = strip(frames.pixels, frames.indices, frames.timestamps, most=SHOWN) if frames else None
                self.logger.video(outputs.records, seen)

    def tell(self) -> None:
        """Of the other ranks' videos too."""
        for questions in self.others.videos() if self.others else ():
            self.progress.video_done(questions, fetched=False)


log = logging.getLogger(__name__)
quiet()


NOTHING = Keep(False, False)


def run_cell(
    config: CellConfig,
    choices: Mapping[str, Any],
    folder: Path,
    progress: Progress,
    share: int = 1,
    keep: Keep = NOTHING,
    alone: bool = False,
) -> None:
    """Run what is missing of the cell; a finished one is left as it is. BadInput for what cannot be run at all.

    `alone`: this process' command is the cell's own, so that it can be repeated for each of trainer.devices.

    `share` is the number of processes that this machine is shared with. After Ctrl-C or a full disk the cell stays
    `running`: nothing is wrong with it, and the same command goes on with the next video. Raises Occupied where another
    process is at it.
    """
    devices, run = config["trainer"]["devices"], RunFolder(folder)
    if devices > 1 and not alone:
        raise BadInput(f"trainer.devices={devices} {SINGLE}")
    if rank_of(devices):  # the first one holds the folder and tells how far all of them are
        end_with_the_first()
        _attempt(config, choices, run, Progress(lambda event: None), share, keep)
        return
    if (state := run.state()).status == "newer":
        raise BadInput(state.reason)
    if state.status != "done":
        with lock(folder):
            if run.status() != "done":  # another process may have ended it just now
                _attempt(config, choices, run, progress, share, keep)
                return
    progress.cell_done(folder, run.metrics())


def _attempt(
    config: CellConfig, choices: Mapping[str, Any], run: RunFolder, progress: Progress, share: int, keep: Keep
) -> None:
    folder = run.path
    rank = rank_of(config["trainer"]["devices"])
    logger = NullMirror() if rank else instantiate(config["logger"])
    sweep, known = config["sweep"]["name"], environment(seed=config["seed"], device=_device(config))
    logger.start(sweep, folder.name, {**config, "environment": of_cell(known, folder, sweep)}, choices)
    try:
        metrics = _run(config, choices, run, progress, logger, share, keep)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt)
        told = isinstance(error, RankFailed) and run.status() == "failed"
        if not interrupted and not told and not stops_everything(error):
            with suppress(OSError):
                run.fail(error)
        with only_warn(logger):
            logger.results(folder)
        with only_warn(logger):
            logger.finish({}, failed=True)
        if interrupted:  # Lightning makes SystemExit of it
            raise KeyboardInterrupt from None
        raise
    if rank:
        return
    with only_warn(logger):
        logger.results(folder)
    if config["measure"]["figures"]:
        with only_warn(logger):  # the results are safe: no picture is a reason to call the cell failed
            logger.figures(analysis("figures").draw_cell(folder))
    with only_warn(logger):
        logger.finish(metrics, failed=False)
    progress.cell_done(folder, metrics)


def _run(
    config: CellConfig,
    choices: Mapping[str, Any],
    run: RunFolder,
    progress: Progress,
    logger: Mirror,
    share: int,
    keep: Keep,
) -> dict[str, Any]:
    trainer_options = dict(config["trainer"])
    devices = trainer_options["devices"]
    set_threads(trainer_options.pop("threads"), share * devices)
    if devices > 1:
        settle(config)
    seed_everything(config["seed"], verbose=False)
    cell = open_cell(config, choices, run, keep)
    viewer, items = cell.viewer, cell.items
    encoder, llm = viewer.video_llm.model.encoder, viewer.video_llm.model.llm
    if not encoder.mixes_time:
        log.warning(
            "encoder=%s sees frames one by one: rearranger=%s changes nothing",
            choices["encoder"],
            choices["rearranger"],
        )
    if ignored := not_followed(llm):
        log.warning("model=%s asks for %s: not followed, answers are greedy", choices["model"], in_words(ignored))
    asked = [question.text for item in items for question in item.questions][:LOOKED_UP]
    if unread := unread_questions(viewer.video_llm.model.tokenizer, asked):
        log.warning(
            "model=%s does not know all words of %d of the first %d questions, as %r",
            *(choices["model"], len(unread), len(asked), unread[0]),
        )
    left = [item for item in items if item.id not in cell.done]
    progress.cell_started(run.path, len(items), len(cell.done))
    if left:
        with ExitStack() as locks:
            cell.module.prefixes.pass_on(bool(keep.to_come))
            others = devices > 1 and not rank_of(devices)
            write = Write(cell, progress, logger, Ahead(config, keep.to_come, locks), others)
            trainer = instantiate(
                trainer_options,
                logger=False,
                enable_progress_bar=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                callbacks=[write],
                # what a scheduler's variables say of its job's tasks is not about it
                plugins=[LightningEnvironment()],
                **({"strategy": "ddp"} if devices > 1 else {}),
            )
            clips = Clips(share_of(left, devices), viewer, cell.module.needs_frames)
            predict(trainer, cell.module, DataLoader(clips, batch_size=None))
            write.tell()
    if rank_of(devices):
        return {}
    static = {
        "frames": viewer.frames_shown,
        "groups": 0 if viewer.reader.blind else len(viewer.video_llm.order(config["frames"])),
        "rearrangement_is_noop": int(not encoder.mixes_time),
    }
    sums, records = StoredSums(run.path), run.records()
    metrics = {
        **cell_metrics(records, VideoFigures(run.path).read()),
        **sums.finish(item.id for item in items),
        **static,
    }
    for line in shown(metrics):
        log.warning("%s: %s", run.path.name, line)
    run.finish(metrics, records)
    sums.clear()
    return metrics


def unread_questions(tokenizer: PreTrainedTokenizerBase, asked: Sequence[str]) -> list[str]:
    """Those that the tokenizer writes with its token of unknown words; none of one that spells them."""
    unknown = tokenizer.unk_token_id
    if unknown is None or not asked:
        return []
    tokens = tokenizer([*asked], add_special_tokens=False).input_ids
    return [text for text, ids in zip(asked, tokens, strict=True) if unknown in ids]


def _device(config: CellConfig) -> str | None:
    """Before the model is loaded. None: the GPU, if there is one."""
    given = config["model"].get("device", "auto")
    return "cpu" if given == "cpu" or (given == "auto" and config["trainer"]["accelerator"] == "cpu") else None
