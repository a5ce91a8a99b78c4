"""Inference: the LightningModule that takes a benchmark through watch and ask, one video a step."""

import logging
import time
from dataclasses import dataclass

import torch
from lightning import LightningModule
from torch.utils.data import Dataset

from intpv.data.benchmark import Benchmark
from intpv.data.item import VideoItem
from intpv.errors import BadInput
from intpv.scorer.scorer import Scorer
from intpv.video.decode import Video, VideoError
from intpv.video.reader import VideoReader
from intpv.video_llm import VideoLLM

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A video ready to be watched, or the reason why it cannot be."""

    item: VideoItem
    video: Video | None
    error: str | None = None


class Clips(Dataset):
    """Decodes the videos of a benchmark; what cannot be decoded is carried on as an error, not raised."""

    def __init__(self, items: list[VideoItem], reader: VideoReader, frames: int):
        self.items, self.reader, self.frames = items, reader, frames

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Loaded:
        item = self.items[index]
        try:
            return Loaded(item, self.reader.read(item.path, self.frames))
        except VideoError as error:
            return Loaded(item, None, str(error))


@dataclass(frozen=True)
class Watched:
    """What one video gave: a record per question, and the video's own figures (None where it failed)."""

    records: list[dict]
    figures: dict | None


class Inference(LightningModule):
    """predict_step only: nothing is trained here."""

    def __init__(self, video_llm: VideoLLM, scorer: Scorer, benchmark: Benchmark):
        super().__init__()
        self.video_llm, self.scorer, self.benchmark = video_llm, scorer, benchmark
        # registered, so that Lightning moves them to the device
        self.llm, self.encoder = video_llm.model.llm, video_llm.model.encoder

    def predict_step(self, loaded: Loaded, _) -> Watched:
        item, video = loaded.item, loaded.video
        if video is None:
            log.warning("%s: %d questions failed: %s", item.id, len(item.questions), loaded.error)
            return Watched([_record(item, question, error=loaded.error) for question in item.questions], None)
        start = time.perf_counter()
        context = self.video_llm.watch(video.frames, video.timestamps, item.id)
        self._wait()
        watched = time.perf_counter()
        bounds = self.benchmark.bounds(item, video.indices)
        start_asking = time.perf_counter()
        try:
            answers = self.video_llm.ask(
                context,
                [question.text for question in item.questions],
                [question.options for question in item.questions],
            )
        except BadInput as error:
            pairs = zip(item.questions, bounds, strict=True)
            return Watched([_record(item, question, bound, str(error)) for question, bound in pairs], None)
        self._wait()
        asked = time.perf_counter()
        records = []
        for question, answer, bound in zip(item.questions, answers, bounds, strict=True):
            score = self.scorer.score(answer.text, question)
            choice = None if answer.choice is None else question.options[answer.choice]
            outcome = {"prediction": answer.text, "correct": score.correct, "valid": score.valid, "choice": choice}
            loglik = [round(value, 4) for value in answer.loglik]
            records.append(_record(item, question, bound, loglik=loglik, **outcome))
        packed = context.packed
        figures = {
            "watch_s": watched - start,
            "ask_s": asked - start_asking,
            "kv/bytes": packed.ledger()["total"],
            "kv/full_precision_bytes": packed.full_precision_bytes,
            "kv/bits_per_element": packed.bits_per_element,
            "kv/quantised_fraction": packed.quantised_fraction,
            "rope/factor": context.factor,
            "rope/trained_length": context.geometry.trained_length,
        }
        return Watched(records, figures)

    def transfer_batch_to_device(self, batch: Loaded, device: torch.device, dataloader_idx: int) -> Loaded:
        return batch  # watch moves the frames itself

    def _wait(self) -> None:
        """A GPU answers before it is done: times are taken after it is."""
        if self.video_llm.device.type == "cuda":
            torch.cuda.synchronize(self.video_llm.device)


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
