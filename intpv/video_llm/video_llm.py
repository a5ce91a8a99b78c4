"""VideoLLM: watch a video once, ask it many questions.

`watch` is look (the tower) and read, which packs each layer as it is prefilled. Prefill and pack are also steps of
their own, because cells of a sweep share the first.
`ask` feeds all questions as one packed row against the packed prefix (asking.py). A score taken in the prefill pass
would never see the quantised cache; here every answer does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from transformers import DynamicCache

from intpv.attention.rules import check_decoder
from intpv.budget.budget import Budget
from intpv.budget.none import NoBudget
from intpv.encoder.prefix_pieces import words
from intpv.errors import BadInput, Unaskable
from intpv.hf.attention import attending_to, use
from intpv.hf.cache import HandingCache, layers_of
from intpv.hf.rotary import applied
from intpv.kv_evict.kv_evict import KVEvict
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.kv_quant.origin import Origin
from intpv.layout import Layout
from intpv.model.model import Model
from intpv.rearranger.rearranger import Rearranger
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.timing import lap
from intpv.video_llm.asking import Answer, Asking
from intpv.video_llm.context import Prefill, VideoContext
from intpv.video_llm.packing_rules import PackingRules
from intpv.video_llm.passes import Passes
from intpv.video_llm.portions import portions
from intpv.video_llm.prefix_feed import DecoderInput, PrefixFeed
from intpv.video_llm.prefix_origin import origin_of
from intpv.video_llm.prefix_rules import PrefixRules
from intpv.video_llm.slot_tokens import SlotTokens
from intpv.video_llm.tower_passes import TowerPasses


@dataclass(frozen=True)
class VideoLLM:
    """A model with one way to rearrange, scale and quantise."""

    model: Model
    rearranger: Rearranger
    rope_strategy: RopeStrategy
    kv_quant: KVQuant | NoQuant
    max_new_tokens: int = 8
    budget: Budget = field(default_factory=NoBudget)
    passes: Passes = field(default_factory=Passes)
    kv_evict: KVEvict | NoEvict = field(default_factory=NoEvict)

    def __post_init__(self) -> None:
        check_decoder(self.model.decoder, self.kv_quant.decode)
        self.packing_rules.check(self.passes)

    @torch.inference_mode()
    def watch(
        self, frames: UInt8[Tensor, "F C H W"], timestamps: Float[Tensor, " F"], video_id: str = ""
    ) -> VideoContext:
        """Decoded frames of any size; `timestamps` in seconds, `video_id` seeds the random rearranger."""
        # not named: pixels are gone when the tower is done with them
        features = self.look(self.model.preprocess.fit(frames.to(self.device)), video_id)
        return self.read(features, timestamps, video_id)

    def order(self, num_frames: int, video_id: str = "") -> Int[Tensor, "m N"]:
        """The index table of a video's frames, or of its slots where the tower makes one of several frames."""
        together = self.model.encoder.frames_per_slot
        if num_frames % together:
            raise BadInput(f"frames must be a multiple of {together}, which become one slot, got {num_frames}")
        slots, group = num_frames // together, self.model.encoder.group_length
        if together > 1 and slots % group:  # the rearranger would count slots, which nobody asked for
            raise BadInput(f"frames must be a multiple of {group * together}, a group of the tower, got {num_frames}")
        return self.rearranger.order(slots, group, video_id)

    @torch.inference_mode()
    def look(self, pixels: UInt8[Tensor, "F C h w"], video_id: str = "") -> Float[Tensor, "m N *P E"]:
        """Fitted frames through the tower, in groups: all that comes before projector, RoPE and quantisation."""
        tower = TowerPasses(self.model, self.rearranger, self.budget, self.passes)
        return tower.look(pixels, self.order(len(pixels), video_id), video_id)

    @torch.inference_mode()
    def tokens(
        self, features: Float[Tensor, "m N *P E"], video_id: str = "", frames: int | None = None
    ) -> Float[Tensor, "F *P D"]:
        """The tower's output through the projector, back in the order of time. None: each of the `frames` was shown to
        the tower once."""
        groups = self.model.encoder.project(features.to(self.device))
        with lap("merge", self.device):
            if frames is None:
                frames = groups.shape[0] * groups.shape[1] * self.model.encoder.frames_per_slot
            return self.rearranger.merge(groups, self.order(frames, video_id))

    @torch.inference_mode()
    def prefill(
        self, features: Float[Tensor, "m N *P E"], timestamps: Float[Tensor, " F"], video_id: str = ""
    ) -> Prefill:
        """The prefix in full precision, under the rotation of `rope_strategy`; whole, unless kv_evict cuts it early."""
        rotation, given = self._given(features, timestamps, video_id)
        queries = self.packing_rules.queries()
        cut = self.packing_rules.early(rotation, video_id, queries)
        self.feed.into(cache := DynamicCache(), rotation, given, cut, queries)
        return Prefill(layers_of(cache), rotation, video_id, tuple(cut.kept) if cut else None, queries)

    @torch.inference_mode()
    def read(
        self, features: Float[Tensor, "m N *P E"], timestamps: Float[Tensor, " F"], video_id: str = ""
    ) -> VideoContext:
        """`prefill` and `pack`, to the same bits, but each layer is packed as it is read: one at a time is unpacked.
        With passes.pack=early every pass is, and the later ones read it so."""
        if self.passes.pack == "early":
            rotation, given = self._given(features, timestamps, video_id)
            growing = self.packing_rules.growing(rotation, lambda: self.origin(rotation))
            self.feed.growing(growing, rotation, given)
            return VideoContext(growing.done(), rotation)
        if self.passes.prefill_tokens is not None:  # no layer is whole before the last pass
            return self.pack(self.prefill(features, timestamps, video_id))
        rotation, given = self._given(features, timestamps, video_id)
        queries = self.packing_rules.queries()
        packing = self.packing_rules.begin(rotation, lambda: self.origin(rotation), video_id, queries)

        def take(keys: Tensor, values: Tensor) -> None:
            with lap("pack", keys.device):
                packing.add(keys, values)

        self.feed.into(cache := HandingCache(take), rotation, given, queries=queries)
        cache.finish()
        return VideoContext(packing.done(), rotation)

    def _prefix(self, features: Tensor, timestamps: Tensor, video_id: str) -> tuple[Rotation, dict[str, Any]]:
        """How the prefix is rotated, and what the decoder is given. Without a group it is text alone."""
        if not len(features):
            return self.prefix_rules.blind()
        return self.prefix_rules.prefix(self.tokens(features, video_id, len(timestamps)), timestamps.tolist(), video_id)

    def _given(self, features: Tensor, timestamps: Tensor, video_id: str) -> tuple[Rotation, DecoderInput]:
        """As `_prefix`, projected a pass at a time where that gives the same tokens: memory has a bound then."""
        passes, all_kept = self.passes, isinstance(self.budget, NoBudget)
        at_once = passes.prefill_tokens is None and (all_kept or passes.tower_frames is None)
        if at_once or not len(features) or not SlotTokens.can(self.model.encoder, self.rearranger):
            rotation, given = self._prefix(features, timestamps, video_id)
            return rotation, self.feed.of_all(given, rotation.layout.length)
        slots = SlotTokens(
            self.model.encoder, self.rearranger, features, self.order(len(timestamps), video_id), self.device
        )
        return self.prefix_rules.by_pass(slots.tokens, passes, timestamps.tolist(), video_id)

    @property
    def feed(self) -> PrefixFeed:
        return PrefixFeed(self.model, self.passes)

    @property
    def packing_rules(self) -> PackingRules:
        return PackingRules(self.model.decoder, self.model.name, self.kv_quant, self.kv_evict)

    @property
    def prefix_rules(self) -> PrefixRules:
        return PrefixRules(self.model, self.rope_strategy, self.budget)

    @torch.inference_mode()
    def pack(self, prefill: Prefill) -> VideoContext:
        """Keep, cut or quantise the prefix; `prefill` stays as it is, so that other policies can pack it too."""
        rotation = prefill.rotation
        packing = self.packing_rules.begin(rotation, lambda: self.origin(rotation), prefill.video_id, prefill.queries)
        return VideoContext(packing.of(prefill.layers, prefill.kept), rotation)

    def origin(self, rotation: Rotation) -> Origin:
        """What calibrated ranges must share with a prefix; the first call hashes the model's weights."""
        return origin_of(self.model, self.rearranger, self.rope_strategy, self.budget, rotation)

    @torch.inference_mode()
    def ask(
        self,
        context: VideoContext,
        questions: Sequence[str],
        options: Sequence[Sequence[str]] | None = None,
        keep_logits: bool = True,
    ) -> list[Answer]:
        """Answer each question by greedy generation, beside it the log-likelihood of each of its options.

        Unaskable, before anything is fed, where a question is too long or an option has no tokens, and afterwards where
        the model's logits are NaN. Logits that are kept are as many numbers as the vocabulary has words, for each
        question.
        """
        options = options or [()] * len(questions)
        start, reasons, rows, choices = context.layout.length, {}, [], []
        for place, (question, of) in enumerate(zip(questions, options, strict=True)):
            try:
                row, tokens = self._question_ids(question), [self._option_ids(option) for option in of]
                context.rotation.check(start + len(row) + max([self.max_new_tokens, *map(len, tokens)]))
            except BadInput as error:
                reasons[place] = str(error)
            else:
                rows.append(row)
                choices.append(tokens)
        if reasons:
            raise Unaskable(reasons, len(questions))
        sizes = [
            len(row) + self.max_new_tokens + sum(map(len, tokens)) for row, tokens in zip(rows, choices, strict=True)
        ]
        longest = max((len(one) for tokens in choices for one in tokens), default=0)
        room = max(map(len, rows), default=0) + max(self.max_new_tokens, longest)
        answers: list[Answer] = []
        with (
            applied(self.model.rotary, context.rotation, range(start, start + room)),
            use(self.model.decoder),
            attending_to(context.packed),
        ):
            for part in portions(sizes):
                asking = Asking(self.model.llm, self.model.tokenizer, start)
                answers += asking.answer(rows[part], choices[part], self.max_new_tokens, keep_logits)
        if lost := [place for place, answer in enumerate(answers) if math.isnan(answer.confidence)]:
            # the largest of NaN is the first token: an answer like any other
            raise Unaskable(dict.fromkeys(lost, _no_numbers(self.model.llm.dtype)), len(questions))
        return answers

    def ask_each(
        self,
        context: VideoContext,
        questions: Sequence[str],
        options: Sequence[Sequence[str]] | None = None,
        keep_logits: bool = True,
    ) -> list[Answer | str]:
        """As `ask`, but a question that cannot be asked costs only itself: in its place stands why."""
        try:
            return [*self.ask(context, questions, options, keep_logits)]
        except Unaskable as error:
            reasons = error.reasons
        left = [place for place in range(len(questions)) if place not in reasons]
        chosen = [options[place] for place in left] if options else None
        answers = iter(self.ask_each(context, [questions[place] for place in left], chosen, keep_logits))
        return [reasons[place] if place in reasons else next(answers) for place in range(len(questions))]

    def prefix_layout(self, num_frames: int) -> Layout:
        """The layout of a watched video of F frames: for sizes told without watching."""
        return self.prefix_rules.layout(num_frames)

    @property
    def device(self) -> torch.device:
        return self.model.llm.device

    def _option_ids(self, option: str) -> list[int]:
        ids = self.model.tokenizer(_text(option, "an option"), add_special_tokens=False).input_ids
        if not ids:
            raise BadInput(f"an option must have at least 1 token, got {option!r}")
        return ids

    def _question_ids(self, question: str) -> Int[Tensor, " R"]:
        asked = self.model.prompt.question(_text(question, "a question"))
        ids = words(self.model.tokenizer, asked, self.model.encoder.behind).ids
        room = self.model.window_length - self.max_new_tokens
        if len(ids) > room:
            raise BadInput(
                f"a question may have {room} tokens (window {self.model.window_length} less {self.max_new_tokens} "
                f"for the answer), got {len(ids)}: {question[:40]}..."
            )
        return torch.tensor(ids, dtype=torch.long)  # on the host: all questions' go to the device at once


def _text(given: str, what: str) -> str:
    """Refused where it holds half a character: no tokenizer takes it."""
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{what} must be text, got a lone surrogate at {error.start}: {given[:40]!r}") from None
    return given


def _no_numbers(dtype: torch.dtype) -> str:
    advice = {
        torch.float16: "; model.dtype=bfloat16 holds larger ones",
        torch.bfloat16: "; kv_quant.decode=eager multiplies packed keys in float32, not in float16",
    }
    kind = str(dtype).removeprefix("torch.")
    return f"the model's logits are NaN: numbers grew too large for {kind}{advice.get(dtype, '')}"
