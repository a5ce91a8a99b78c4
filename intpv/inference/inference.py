"""Inference: the LightningModule that takes a benchmark through watch and ask, one video a step."""

import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from lightning import LightningModule

from intpv.attention.prefix import chosen
from intpv.attention.rules import beyond_plain
from intpv.attention_kl.report import Measured
from intpv.cache.memory import FirstCome
from intpv.cost import arithmetic, ledger
from intpv.cost.memory import Memory
from intpv.data.benchmark import UNKNOWN_BOUNDS, Benchmark, Question, ScoreBounds, VideoItem
from intpv.errors import BadInput, VideoError
from intpv.inference.measuring import Asked, Measuring
from intpv.inference.trained_length import TrainedLength
from intpv.inference.viewing import Loaded, Viewer
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.kv_quant import NoQuant
from intpv.metrics import timing
from intpv.record.samples import Sample, VideoMetrics
from intpv.scorer.scorer import Scorer
from intpv.timing import laps, wait_for
from intpv.video_llm.context import Prefill, VideoContext
from intpv.video_llm.packing_rules import PackingRules

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prefilled:
    """A prefix before packing: what cells that differ in quantisation alone have in common."""

    prefill: Prefill
    indices: tuple[int, ...]
    seconds: dict[str, float]  # what decoding, the tower and the prefill took, whenever that was


@dataclass(frozen=True)
class Read:
    """A video that was watched and packed; its prefix in full precision where that is measured."""

    context: VideoContext
    prefill: Prefill | None
    indices: tuple[int, ...]
    seconds: dict[str, float]
    fetched: bool  # frames and tower were spared


@dataclass(frozen=True)
class Watched:
    """What one video gave: a record per question, and the video's own figures (None where it failed)."""

    records: list[Sample]
    figures: VideoMetrics | None = None
    fetched: bool = False  # frames and tower were spared: what they give was at hand
    measured: Measured | None = None  # attention KL and signatures, where they are asked for


class Inference(LightningModule):
    """predict_step only: nothing is trained here. `prefixes` are shared with other cells, by video id, and `answered`
    with those that find the same; `measuring` None measures nothing beside the answers.

    No module of the model is registered: it stays where it was loaded, where Lightning would move it to a device of its
    own choice, and back to the CPU after every cell.
    """

    def __init__(
        self,
        viewer: Viewer,
        scorer: Scorer,
        benchmark: Benchmark,
        prefixes: FirstCome,
        measuring: Measuring | None = None,
        answered: dict[str, Watched] | None = None,
    ):
        super().__init__()
        self.answered = answered
        self.viewer, self.video_llm = viewer, viewer.video_llm
        self.measuring = measuring or Measuring()
        self.baseline = TrainedLength.of(viewer) if self.measuring.is_on else None
        if self.measuring.is_on and (more := self.beyond_plain):
            raise BadInput(
                f"measure reads plain attention over the whole prefix, {viewer.video_llm.model.name} has {more}"
            )
        if self.measuring.reads_prefill and self.video_llm.passes.pack == "early":
            raise BadInput("measure reads the prefix in full precision, passes.pack=early never has it; measure=none")
        if self.measuring.is_on and viewer.reader.blind:
            raise BadInput("measure reads attention to frames, video.blind=true shows none: measure=none does without")
        memory, ids = self.measuring.memory, [item.id for item in benchmark.items()]
        # by id: a cell that is gone on with measures the same videos
        self.memory, self.weighed = memory, set(ids[: memory.videos if memory and not viewer.reader.blind else 0])
        self.compared = dict.fromkeys(self.measuring.chosen(ids))
        self.scorer, self.benchmark, self.prefixes = scorer, benchmark, prefixes
        self._cold = True  # nothing has been asked yet: kernels are built and loaded at their first use

    @cached_property
    def beyond_plain(self) -> str | None:
        """What keeps attention from being plain, as far as the config and the number of frames tell."""
        length = self.video_llm.prefix_layout(self.viewer.frames_shown).length + 1
        return beyond_plain(self.video_llm.model.decoder, length)

    def needs_frames(self, item: VideoItem) -> bool:
        """Whether neither answers, nor the prefix, nor the tower's output of this video are at hand."""
        known = item.id in (self.answered or ()) or self.prefixes.get(item.id) is not None
        return not known and not self.viewer.is_ready(item)

    def predict_step(self, loaded: Loaded, _) -> Watched:
        if self.answered is None:
            return self._watch_and_ask(loaded)
        if known := self.answered.get(loaded.item.id):
            return known
        found = self._watch_and_ask(loaded)
        if found.figures:  # what failed may be there the next time
            self.answered[loaded.item.id] = replace(
                found, figures={**found.figures, "cache/fetched": 1.0}, fetched=True
            )
        return found

    def _watch_and_ask(self, loaded: Loaded) -> Watched:
        item = loaded.item
        try:
            if loaded.error:
                return _unanswered(item, loaded.error)
            if self._cold and self.video_llm.device.type == "cuda":
                self._warm_watch(loaded)
            read = self._read(loaded)
        except VideoError as error:
            return _unanswered(item, str(error))
        context, prefill, fetched = read.context, read.prefill, read.fetched
        paths = {chosen(layer, self.video_llm.device) for layer in context.packed.layers}  # some may be unquantised
        fused = bool(paths & {"compiled", "triton"}) and not self.beyond_plain
        bounds = self.benchmark.bounds(item, read.indices)
        texts = [question.text for question in item.questions]
        options = [self.scorer.weighed(question.options) for question in item.questions]
        if self._cold and (fused or self.video_llm.device.type == "cuda"):
            # a throw-away round: these very shapes, also those of steps in which some questions have ended
            self.video_llm.ask_each(context, texts, options, keep_logits=False)
        self._cold = False
        start = time.perf_counter()
        with laps() as taken:
            told = self.video_llm.ask_each(context, texts, options, keep_logits=item.id in self.compared)
        ask_s = self._since(start)
        records: list[Sample] = []
        answers, asked = [], []
        for question, bound, answer in zip(item.questions, bounds, told, strict=True):
            if isinstance(answer, str):
                records.append(_record(item, question, bound, answer))
                continue
            asked.append(question)
            answers.append(answer)
            score = self.scorer.score(answer.text, question)
            records.append(
                {
                    **_record(item, question, bound),
                    "prediction": answer.text,
                    "correct": score.correct,
                    "valid": score.valid,
                    "choice": self.scorer.likeliest(question.options, answer.loglik),
                    "loglik": [round(value, 4) for value in answer.loglik],
                }
            )
        if refused := [record for record in records if record["error"]]:
            log.warning("%s: %d of %d questions: %s", item.id, len(refused), len(records), refused[0]["error"])
        if not answers:
            return Watched(records)
        item = replace(item, questions=tuple(asked))
        seconds = {**read.seconds, "ask_s": ask_s, **timing.answering(taken)}
        packed = context.packed
        figures: VideoMetrics = {
            **{f"time/{name}": value for name, value in seconds.items()},
            "time/watch_s": seconds["encode_s"] + seconds["prefill_s"] + seconds["pack_s"],
            "cache/fetched": float(fetched),
            **ledger.kv(packed.ledger()),
            **ledger.weights(self.video_llm.model.llm, self.video_llm.model.encoder),
            "kv/full_precision_bytes": packed.full_precision_bytes,
            "kv/bits_per_element": packed.bits_per_element,
            "kv/quantised_fraction": packed.quantised_fraction,
            "kv/kept_tokens": packed.length,
            "kv/fused": float(fused),
            **(packed.drift.figures() if packed.drift else {}),  # from calibrated ranges, where there are any
            **arithmetic.flops(self.video_llm, self.viewer.frames_shown, context, item.id),
            "rope/factor": context.factor,
            "rope/own_factor": context.geometry.own_factor,
            "rope/trained_length": context.geometry.trained_length,
        }
        measured = None
        if self.baseline and item.id in self.compared:
            measured = self._measured(self.baseline, Asked(item, prefill, context, answers))
        if self.memory and self.memory.on(self.video_llm.device) and item.id in self.weighed:
            del read, prefill, context, packed  # what is measured is made once more
            figures |= self._peaks(self.memory, loaded, item)
        return Watched(records, figures, fetched, measured)

    def _measured(self, baseline: TrainedLength, asked: Asked) -> Measured:
        """Nothing, under a warning, of a video whose file is no longer what was answered: the answers stand."""
        try:
            # rounding is much the same in every video: the first one tells it
            floors = asked.item.id == next(iter(self.compared))
            return self.measuring.measure(self.viewer, baseline, self.scorer, asked, floors)
        except VideoError as error:
            log.warning("%s: not measured: %s", asked.item.id, error)
            return Measured()

    def _peaks(self, memory: Memory, loaded: Loaded, item: VideoItem) -> dict[str, int]:
        """Of `item`'s questions. Empty, under a warning, where the device has no room for a second time beside what the
        run keeps, or the file is no longer there."""
        asked = [[getattr(question, name) for question in item.questions] for name in ("text", "options")]
        try:
            frames = loaded.frames or self.viewer.frames(item)
            return memory.measure(self.video_llm, frames.pixels, frames.timestamps, item.id, *asked)
        except (torch.OutOfMemoryError, VideoError) as error:
            log.warning("%s: peaks of memory not measured: %s", item.id, str(error).partition(". ")[0])
            return {}

    def _warm_watch(self, loaded: Loaded) -> None:
        """A GPU's first video is watched once before the clock, past all caches: they keep seconds for other cells."""
        if self.viewer.reader.blind:
            return
        frames = loaded.frames or self.viewer.frames(loaded.item)
        features = self.video_llm.look(frames.pixels, loaded.item.id)
        self.video_llm.read(features, frames.timestamps, loaded.item.id)

    def _read(self, loaded: Loaded) -> Read:
        """Layer by layer where nobody else needs the prefix in full precision: a prefix that is shared is whole."""
        video_id, kept = loaded.item.id, self.prefixes.get(loaded.item.id)
        if fetched := kept is not None:
            prefilled: Prefilled = kept
        else:
            view = self.viewer.view(loaded.item, loaded.frames)
            whole = self._reads_prefill(video_id) or (
                self.video_llm.passes.pack == "late"  # else there is nothing to share before packing
                and self.prefixes.has_room(self._prefix_bytes, self.video_llm.model.devices)
            )
            make = self.video_llm.prefill if whole else self.video_llm.read
            start = time.perf_counter()
            with laps() as taken:
                made = make(view.features, view.timestamps, video_id)
            pack_s, fetched = sum(taken.get("pack", [])), view.fetched
            seconds = {"decode_s": view.decode_s, "encode_s": view.encode_s, "prefill_s": self._since(start) - pack_s}
            seconds["rearrange_s"] = view.split_s + sum(taken.get("merge", []))
            if isinstance(made, VideoContext):
                return Read(made, None, view.indices, {**seconds, "pack_s": pack_s}, fetched)
            prefilled = Prefilled(made, view.indices, seconds)
            self.prefixes.put(video_id, prefilled)
        start = time.perf_counter()
        context = self.video_llm.pack(prefilled.prefill)
        seconds = {**prefilled.seconds, "pack_s": self._since(start)}
        prefill = prefilled.prefill if self._reads_prefill(video_id) else None
        return Read(context, prefill, prefilled.indices, seconds, fetched)

    def _reads_prefill(self, video_id: str) -> bool:
        return self.measuring.reads_prefill and video_id in self.compared

    @cached_property
    def _prefix_bytes(self) -> int:
        """Of one in full precision."""
        model = self.video_llm.model
        whole = PackingRules(model.decoder, model.name, NoQuant(), NoEvict())
        return whole.nbytes(self.video_llm.prefix_layout(self.viewer.frames_shown))

    def transfer_batch_to_device(self, batch: Loaded, device: torch.device, dataloader_idx: int) -> Loaded:
        return batch  # watch moves the frames itself

    def _since(self, start: float) -> float:
        """Seconds; a GPU answers before it is done, so times are taken after it is."""
        wait_for(*self.video_llm.model.devices)
        return time.perf_counter() - start


def _unanswered(item: VideoItem, error: str) -> Watched:
    log.warning("%s: %d questions failed: %s", item.id, len(item.questions), error)
    return Watched([_record(item, question, UNKNOWN_BOUNDS, error) for question in item.questions])


def _record(item: VideoItem, question: Question, bound: ScoreBounds, error: str | None = None) -> Sample:
    """Of a question without an answer."""
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
    }
