"""One cell: a plain config in, a finished run folder out."""

import logging
from pathlib import Path

from hydra.utils import instantiate
from lightning import Callback, seed_everything
from torch.utils.data import DataLoader

from intpv.inference import Clips, Inference, Watched
from intpv.measure.cell import cell_metrics
from intpv.record.cell import config_hash
from intpv.record.environment import environment
from intpv.record.run_folder import RunFolder
from intpv.record.videos import VideoFigures

from . import build
from .quiet import quiet

log = logging.getLogger(__name__)
quiet()


def run_cell(config: dict, choices: dict, folder: Path, progress) -> None:
    """Run what is missing of the cell; a finished one is left as it is. BadInput for what cannot be run at all."""
    run = RunFolder(folder)
    if run.status() == "done":
        progress.cell_done(folder, run.metrics())
        return
    sweep = config["sweep"]["name"]
    logger = instantiate(config["logger"])
    logger.start(sweep, folder.name, config_hash({"sweep": sweep, "cell": folder.name}), config)
    try:
        metrics = _run(config, choices, run, progress)
    except BaseException as error:
        run.fail(error)
        logger.finish({}, failed=True)
        raise
    logger.finish(metrics, failed=False)
    progress.cell_done(folder, metrics)


class _Write(Callback):
    """Each video is on disk before the next one is watched."""

    def __init__(self, run: RunFolder, figures: VideoFigures, progress):
        self.run, self.figures, self.progress = run, figures, progress

    def on_predict_batch_end(self, trainer, module, outputs: Watched, batch, batch_idx, dataloader_idx=0):
        if outputs.figures:
            self.figures.append(batch.item.id, outputs.figures)
        self.run.append(outputs.records)
        self.progress.video_done()


def _run(config: dict, choices: dict, run: RunFolder, progress) -> dict:
    seed_everything(config["seed"], verbose=False)
    reader, scorer, benchmark = instantiate(config["video"]), instantiate(config["scorer"]), build.benchmark(config)
    video_llm, items = build.video_llm(config), benchmark.items()
    encoder = video_llm.model.encoder
    if not encoder.mixes_time:
        log.warning(
            "encoder=%s sees frames one by one: rearranger=%s changes nothing",
            choices["encoder"],
            choices["rearranger"],
        )
    known = environment(seed=config["seed"], decoder=reader.decoder, decoder_version=reader.version)
    done = run.open({item.id: len(item.questions) for item in items}, known)
    left = [item for item in items if item.id not in done]
    progress.cell_started(run.path, len(items), len(done))
    figures = VideoFigures(run.path)
    if left:
        trainer = instantiate(
            config["trainer"],
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            callbacks=[_Write(run, figures, progress)],
        )
        loader = DataLoader(Clips(left, reader, config["frames"]), batch_size=None)
        trainer.predict(Inference(video_llm, scorer, benchmark), loader, return_predictions=False)
    static = {
        "frames": config["frames"],
        "groups": len(video_llm.rearranger.order(config["frames"], encoder.group_length)),
        "rearrangement_is_noop": int(not encoder.mixes_time),
    }
    metrics = {**cell_metrics(run.samples(), figures.read()), **static}
    run.finish(metrics)
    return metrics
