"""OpenCell: a cell with its folder, its benchmark and its module, ready to answer video after video."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from intpv.attention_kl.on_disk import StoredSums
from intpv.data.benchmark import VideoItem
from intpv.data.item_check import check_items
from intpv.errors import BadInput
from intpv.inference.inference import Inference, Watched
from intpv.inference.viewing import Viewer
from intpv.model.loading.generation import in_words, not_followed
from intpv.record.damaged import Damaged
from intpv.record.environment import environment
from intpv.record.run_folder import RunFolder
from intpv.record.samples import VideoFigures

from ..sweep.plan import tower_key
from . import build
from .cell_config import CellConfig
from .names import calibration_sha256
from .ranks import rank_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CellToCome:
    """A cell that this process will run after the one at hand."""

    config: CellConfig
    choices: Mapping[str, Any]
    folder: Path


@dataclass(frozen=True)
class Keep:
    """What other cells of this process take from this one, or it from them."""

    prefixes: bool  # there is one that has the same before packing
    answers: bool  # there is one to come whose results are the same
    to_come: Sequence[CellToCome] = ()  # those that have the same before packing


@dataclass(frozen=True)
class OpenCell:
    """The folder is this process' own until it lets go of its lock."""

    run: RunFolder
    module: Inference
    items: list[VideoItem]
    done: set[str]  # videos that were answered before

    @property
    def viewer(self) -> Viewer:
        return self.module.viewer

    def keep(self, video: str, outputs: Watched) -> None:
        """On disk; the answers last: a video counts as answered when all else of it is there."""
        if outputs.figures:
            VideoFigures(self.run.path).append(video, outputs.figures)
        if outputs.measured:
            StoredSums(self.run.path).put(video, outputs.measured)
        self.run.append(outputs.records)


def open_cell(config: CellConfig, choices: Mapping[str, Any], run: RunFolder, keep: Keep) -> OpenCell:
    """BadInput for what cannot be run. The folder stays as it is in a rank above 0."""
    reader, scorer, benchmark = instantiate(config["video"]), instantiate(config["scorer"]), build.benchmark(config)
    measuring = instantiate(config["measure"])
    check_items(items := benchmark.items(), choices["data"], scorer.needs_options)
    prefixes = build.prefixes(config, keep.prefixes)  # those of another model go before this one is loaded
    video_llm = build.video_llm(config)
    build.cache(config).walk(tower_key(config))
    viewer = Viewer(video_llm, reader, build.cache(config), config["frames"])
    known = environment(config["seed"], str(video_llm.device), reader.decoder, reader.version)
    warn_of_coarse_products(known)
    known["generation_not_followed"] = in_words(not_followed(video_llm.model.llm))
    known["rope"] = video_llm.model.rope
    known["calibration_sha256"] = calibration_sha256(config)
    module = Inference(viewer, scorer, benchmark, prefixes, measuring, build.answers(config, keep.answers))
    expected = {item.id: [question.id for question in item.questions] for item in items}
    if rank_of(config["trainer"]["devices"]):
        return OpenCell(run, module, items, run.complete(expected))
    _check_commit(run, known, config["sweep"]["strict"])
    return OpenCell(run, module, items, run.open(expected, known))


def warn_of_coarse_products(known: Mapping) -> None:
    """Where an environment's GPU does not multiply float32 matrices in float32."""
    if known["device"].startswith("cuda") and known["float32_products"] != "ieee":
        log.warning(
            "float32 products are %s here, as something outside of intpv asks torch for: what attention and Hadamard "
            "bases hold to 1e-4 then holds to 1e-3",
            known["float32_products"],
        )


def _check_commit(run: RunFolder, now: dict, strict: bool) -> None:
    """A cell that was begun with other code is gone on with under a warning; sweep.strict=true refuses it."""
    try:
        before, answered = run.environment(), run.samples()
    except Damaged:  # said when the folder is opened
        return
    if before is None or not answered or all(before.get(key) == now[key] for key in ("commit", "diff")):
        return
    then, here = (f"{one.get('commit')}{'' if one.get('clean') else ' with changes'}" for one in (before, now))
    line = f"{run.path.name} was begun at commit {then}, this is {here}"
    if strict:
        raise BadInput(f"{line}: sweep.strict=true does not go on with it; delete its folder or check that commit out")
    log.warning("%s: going on with it", line)
