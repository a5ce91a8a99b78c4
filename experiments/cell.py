"""One cell: a plain config in, a finished run folder out."""

import logging
from contextlib import suppress
from pathlib import Path

from hydra.utils import instantiate
from lightning import seed_everything
from torch.utils.data import DataLoader

from intpv.attention_kl.stored import StoredSums
from intpv.clips import Clips
from intpv.errors import BadInput
from intpv.inference import Inference
from intpv.measure.cell import cell_metrics
from intpv.measure.signatures.shown import shown
from intpv.record.environment import environment
from intpv.record.mirror import Mirror, only_warn
from intpv.record.run_folder import RunFolder
from intpv.record.videos import VideoFigures
from intpv.viewing import Viewer

from . import build
from .outcome import stops_everything
from .quiet import quiet
from .sibling import analysis
from .threads import set_threads
from .write import Write

log = logging.getLogger(__name__)
quiet()


def run_cell(config: dict, choices: dict, folder: Path, progress, share: int = 1, keep_prefixes: bool = False) -> None:
    """Run what is missing of the cell; a finished one is left as it is. BadInput for what cannot be run at all.

    `share` is the number of processes that this machine is shared with, `keep_prefixes` whether another cell of this
    process differs in quantisation alone. After Ctrl-C or a full disk the cell stays `running`: nothing is wrong with
    it, and the same command goes on with the next video.
    """
    run = RunFolder(folder)
    if run.status() == "done":
        progress.cell_done(folder, run.metrics())
        return
    logger = instantiate(config["logger"])
    logger.start(config["sweep"]["name"], folder.name, config, choices)
    try:
        metrics = _run(config, choices, run, progress, logger, share, keep_prefixes)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt)
        if not interrupted and not stops_everything(error):
            with suppress(OSError):
                run.fail(error)
        logger.finish({}, failed=True)
        if interrupted:  # Lightning makes SystemExit of it
            raise KeyboardInterrupt from None
        raise
    with only_warn(logger):  # the results are safe: a picture that cannot be drawn is no reason to call the cell failed
        logger.figures(analysis("figures").draw_cell(folder))
    logger.finish(metrics, failed=False)
    progress.cell_done(folder, metrics)


def _run(config, choices, run: RunFolder, progress, logger: Mirror, share: int, keep_prefixes: bool) -> dict:
    trainer_options = dict(config["trainer"])
    set_threads(trainer_options.pop("threads"), share)
    if trainer_options.get("devices") != 1:
        devices = trainer_options.get("devices")
        raise BadInput(f"trainer.devices must be 1, got {devices}: hydra.launcher.workers spreads cells over devices")
    seed_everything(config["seed"], verbose=False)
    reader, scorer, benchmark = instantiate(config["video"]), instantiate(config["scorer"]), build.benchmark(config)
    measuring = instantiate(config["measure"])
    video_llm, items = build.video_llm(config), benchmark.items()
    viewer = Viewer(video_llm, reader, build.cache(config), config["frames"])
    encoder = video_llm.model.encoder
    if not encoder.mixes_time:
        log.warning(
            "encoder=%s sees frames one by one: rearranger=%s changes nothing",
            choices["encoder"],
            choices["rearranger"],
        )
    known = environment(seed=config["seed"], decoder=reader.decoder, decoder_version=reader.version)
    known["calibration_sha256"] = getattr(video_llm.kv_quant, "calibration_sha256", None)
    _check_commit(run, known, config["sweep"]["strict"])
    done = run.open({item.id: len(item.questions) for item in items}, known)
    left = [item for item in items if item.id not in done]
    progress.cell_started(run.path, len(items), len(done))
    if left:
        module = Inference(viewer, scorer, benchmark, build.prefixes(config, keep_prefixes), measuring)
        trainer = instantiate(
            trainer_options,
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            callbacks=[Write(run, progress, logger, viewer)],
        )
        loader = DataLoader(Clips(left, viewer, module.needs_frames), batch_size=None)
        trainer.predict(module, loader, return_predictions=False)
    static = {
        "frames": config["frames"],
        "groups": len(video_llm.order(config["frames"])),
        "rearrangement_is_noop": int(not encoder.mixes_time),
    }
    sums = StoredSums(run.path)
    metrics = {
        **cell_metrics(run.samples(), VideoFigures(run.path).read()),
        **sums.finish(item.id for item in items).figures(),
        **static,
    }
    for line in shown(metrics):
        log.warning("%s: %s", run.path.name, line)
    run.finish(metrics)
    sums.clear()
    return metrics


def _check_commit(run: RunFolder, now: dict, strict: bool) -> None:
    """A cell that was begun with other code is gone on with under a warning; sweep.strict=true refuses it."""
    before = run.environment()
    if before is None or not run.samples() or all(before.get(key) == now[key] for key in ("commit", "diff")):
        return
    then, here = (f"{one.get('commit')}{'' if one.get('clean') else ' with changes'}" for one in (before, now))
    line = f"{run.path.name} was begun at commit {then}, this is {here}"
    if strict:
        raise BadInput(f"{line}: sweep.strict=true does not go on with it; delete its folder or check that commit out")
    log.warning("%s: going on with it", line)
