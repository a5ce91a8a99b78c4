"""Inference: the LightningModule that takes a benchmark through watch and ask, one video a step."""

import logging
import time
from dataclasses import dataclass

import torch
from lightning import LightningModule

from intpv.attention.decode import chosen
from intpv.attention_kl.measured import Measured
from intpv.cache.first_come import FirstCome
from intpv.clips import Loaded
from intpv.data.benchmark import Benchmark
from intpv.data.item import VideoItem
from intpv.errors import BadInput
from intpv.laps import laps, wait_for
from intpv.measure import ledger, timing
from intpv.measuring import Asked, Measuring
from intpv.scorer.scorer import Scorer
from intpv.trained_length import TrainedLength
from intpv.video.error import VideoError
from intpv.viewing import Viewer
from intpv.watched import Prefill

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prefilled:
    """A prefix before packing: what cells that differ in quantisation alone have in common."""

    prefill: Prefill
    indices: tuple[int, ...]
    seconds: dict[str, float]  # what decoding, the tower and the prefill took, whenever that was


@dataclass(frozen=True)
class Watched:
    """What one video gave: a record per question, and the video's own figures (None where it failed)."""

    records: list[dict]
    figures: dict | None = None
    fetched: bool = False  # frames and tower were spared: what they give was at hand
    measured: Measured | None = None  # attention KL and signatures, where they are asked for


class Inference(LightningModule):
    """predict_step only: nothing is trained here. `prefixes` are shared with other cells, by video id; `measuring`
    None measures nothing beside the answers."""

    def __init__(
        self,
        viewer: Viewer,
        scorer: Scorer,
        benchmark: Benchmark,
        prefixes: FirstCome,
        measuring: Measuring | None = None,
    ):
        super().__init__()
        self.measuring = measuring or Measuring()
        self.baseline = TrainedLength.of(viewer) if self.measuring.is_on else None
        memory = self.measuring.memory
        # by id: a cell that is gone on with measures the same videos
        self.memory, self.weighed = memory, {item.id for item in benchmark.items()[: memory.videos if memory else 0]}
        self.viewer, self.video_llm = viewer, viewer.video_llm
        self.scorer, self.benchmark, self.prefixes = scorer, benchmark, prefixes
        if len(self.video_llm.model.devices) == 1:  # registered, so that Lightning moves them; a spread model stays
            self.llm, self.encoder = self.video_llm.model.llm, self.video_llm.model.encoder

    def needs_frames(self, item: VideoItem) -> bool:
        """Whether neither the prefix nor the tower's output of this video is at hand."""
        return self.prefixes.get(item.id) is None and not self.viewer.is_ready(item)

    def predict_step(self, loaded: Loaded, _) -> Watched:
        item = loaded.item
        try:
            if loaded.error:
                return _unanswered(item, loaded.error)
            prefilled, fetched = self._prefilled(loaded)
        except VideoError as error:
            return _unanswered(item, str(error))
        start = time.perf_counter()
        context = self.video_llm.pack(prefilled.prefill)
        pack_s = self._since(start)
        fused = chosen(context.packed.layers[0], self.video_llm.device) != "eager"  # refused here: no video has a say
        bounds = self.benchmark.bounds(item, prefilled.indices)
        start = time.perf_counter()
        texts = [question.text for question in item.questions]
        try:
            with laps() as taken:
                answers = self.video_llm.ask(context, texts, [question.options for question in item.questions])
        except BadInput as error:
            pairs = zip(item.questions, bounds, strict=True)
            return Watched([_record(item, question, bound, str(error)) for question, bound in pairs])
        ask_s = self._since(start)
        seconds = {**prefilled.seconds, "pack_s": pack_s, "ask_s": ask_s, **timing.answering(taken)}
        records = []
        for question, answer, bound in zip(item.questions, answers, bounds, strict=True):
            score = self.scorer.score(answer.text, question)
            choice = None if answer.choice is None else question.options[answer.choice]
            outcome = {"prediction": answer.text, "correct": score.correct, "valid": score.valid, "choice": choice}
            loglik = [round(value, 4) for value in answer.loglik]
            records.append(_record(item, question, bound, loglik=loglik, **outcome))
        packed = context.packed
        figures = {
            **{f"time/{name}": value for name, value in seconds.items()},
            "time/watch_s": seconds["encode_s"] + seconds["prefill_s"] + seconds["pack_s"],
            "cache/fetched": float(fetched),
            **ledger.kv(packed.ledger()),
            **ledger.weights(self.video_llm.model.llm, self.video_llm.model.encoder),
            "kv/full_precision_bytes": packed.full_precision_bytes,
            "kv/bits_per_element": packed.bits_per_element,
            "kv/quantised_fraction": packed.quantised_fraction,
            "kv/fused": float(fused),
            **(packed.drift.figures() if packed.drift else {}),  # from calibrated ranges, where there are any
            "rope/factor": context.factor,
            "rope/trained_length": context.geometry.trained_length,
        }
        measured = None
        if self.baseline:
            asked = Asked(item, prefilled.prefill, context, answers)
            measured = self.measuring.measure(self.viewer, self.baseline, self.scorer, asked)
            del asked
        if self.memory and self.memory.on(self.video_llm.device) and item.id in self.weighed:
            del prefilled, context, packed  # what is measured is made once more
            figures |= self._peaks(loaded)
        return Watched(records, figures, fetched, measured)

    def _peaks(self, loaded: Loaded) -> dict[str, int]:
        """Empty, under a warning, where the device has no room for a second time beside what the run keeps."""
        item, frames = loaded.item, loaded.frames or self.viewer.frames(loaded.item.path)
        asked = [[getattr(question, name) for question in item.questions] for name in ("text", "options")]
        try:
            return self.memory.measure(self.video_llm, frames.pixels, frames.timestamps, item.id, *asked)
        except torch.OutOfMemoryError as error:
            log.warning("%s: peaks of memory not measured: %s", item.id, str(error).partition(". ")[0])
            return {}

    def _prefilled(self, loaded: Loaded) -> tuple[Prefilled, bool]:
        """The prefix before packing, and whether frames and tower were spared for it."""
        if (kept := self.prefixes.get(loaded.item.id)) is not None:
            return kept, True
        view = self.viewer.view(loaded.item, loaded.frames)
        start = time.perf_counter()
        with laps() as taken:
            prefill = self.video_llm.prefill(view.features, view.timestamps, loaded.item.id)
        prefill_s, rearrange_s = self._since(start), view.split_s + sum(taken["merge"])
        seconds = {"decode_s": view.decode_s, "encode_s": view.encode_s, "prefill_s": prefill_s}
        seconds["rearrange_s"] = rearrange_s
        prefilled = Prefilled(prefill, view.indices, seconds)
        self.prefixes.put(loaded.item.id, prefilled)
        return prefilled, view.fetched

    def transfer_batch_to_device(self, batch: Loaded, device: torch.device, dataloader_idx: int) -> Loaded:
        return batch  # watch moves the frames itself

    def _since(self, start: float) -> float:
        """Seconds; a GPU answers before it is done, so times are taken after it is."""
        wait_for(*self.video_llm.model.devices)
        return time.perf_counter() - start


def _unanswered(item: VideoItem, error: str) -> Watched:
    log.warning("%s: %d questions failed: %s", item.id, len(item.questions), error)
    return Watched([_record(item, question, error=error) for question in item.questions])


def _record(item: VideoItem, question, bound: dict | None = None, error: str | None = None, **outcome) -> dict:
    bound = bound or {"ceiling": None, "blind": None, "labels": {}}
    return {
        "id": question.id,
        "video": item.id,
        "kind": question.kind,
        "labels": {**item.labels, **question.labels, **bound["labels"]},
        "question": question.text,
        "options": list(question.options),
        "answer": question.answer,
        "prediction": None,
        "correct": False,
        "valid": False,
        "choice": None,
        "loglik": None,
        "ceiling": bound["ceiling"],
        "blind": bound["blind"],
        "error": error,
        **outcome,
    }
