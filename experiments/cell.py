"""One cell: a plain config in, a finished run folder out."""

import json
import logging
from functools import cache
from pathlib import Path

from hydra.utils import instantiate
from lightning import seed_everything
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader

from intpv.inference import Clips, Inference, Watched
from intpv.measure.cell import cell_metrics
from intpv.record.cell import config_hash
from intpv.record.environment import environment
from intpv.record.run_folder import RunFolder
from intpv.record.videos import VideoFigures
from intpv.video_llm import VideoLLM

from .quiet import quiet

log = logging.getLogger(__name__)
quiet()


@cache
def _benchmark(config: str):
    """One object per config: items and bounds are shared by the cells of a process."""
    return instantiate(json.loads(config))


@cache
def _model(encoder: str, model: str):
    """Loaded once per process; every cell with equal encoder and model config uses the same."""
    return instantiate(json.loads(model), encoder=instantiate(json.loads(encoder)))


def run_cell(config: dict, choices: dict, folder: Path, progress) -> None:
    """Run what is missing of the cell; a finished one is left as it is. BadInput for what cannot be run at all."""
    run = RunFolder(folder)
    if run.status() == "done":
        progress.cell_done(folder, json.loads((folder / "metrics.json").read_text()))
        return
    logger = instantiate(config["logger"])
    sweep = config["sweep"]["name"]
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
    rearranger = instantiate(config["rearranger"])
    rearranger.order(config["frames"], config["encoder"]["num_frames"])  # refuse a frame count before a model loads
    reader, rope, kv = (instantiate(config[group]) for group in ("video", "rope_strategy", "kv_quant"))
    benchmark = _benchmark(json.dumps(config["data"], sort_keys=True))
    items = benchmark.items()
    model = _model(*(json.dumps(config[group], sort_keys=True) for group in ("encoder", "model")))
    if not model.encoder.mixes_time:
        log.warning(
            "encoder=%s sees frames one by one: rearranger=%s changes nothing",
            choices["encoder"],
            choices["rearranger"],
        )
    video_llm = VideoLLM(model, rearranger, rope, kv, config["max_new_tokens"])
    known = environment(seed=config["seed"], decoder=reader.decoder, decoder_version=reader.version)
    done = run.open({item.id: len(item.questions) for item in items}, known)
    left = [item for item in items if item.id not in done]
    progress.cell_started(run.path, len(items), len(done))
    figures = VideoFigures(run.path)
    trainer = instantiate(
        config["trainer"],
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[_Write(run, figures, progress)],
    )
    if left:
        loader = DataLoader(Clips(left, reader, config["frames"]), batch_size=None)
        trainer.predict(
            Inference(video_llm, instantiate(config["scorer"]), benchmark), loader, return_predictions=False
        )
    static = {
        "frames": config["frames"],
        "groups": len(rearranger.order(config["frames"], model.encoder.group_length)),
        "rearrangement_is_noop": int(not model.encoder.mixes_time),
    }
    metrics = {**cell_metrics(run.samples(), figures.read()), **static}
    run.finish(metrics)
    return metrics
