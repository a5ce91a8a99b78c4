"""VideoLLM: watch a video once, ask it many questions.

`watch` is look (the tower), prefill and pack; each is a step of its own because cells of a sweep share the first ones.
`ask` feeds all questions as one packed row against the packed prefix (asking.py). A score taken in the prefill pass
would never see the quantised cache; here every answer does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from transformers import DynamicCache

from intpv.asking import Answer, Asking
from intpv.attention.interface import attending_to, use
from intpv.encoder.pieces import Piece, embeddings_of, layout_of, words
from intpv.errors import BadInput
from intpv.kv_quant.cache import handed, layers_of
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.kv_quant.origin import Origin
from intpv.laps import lap
from intpv.layout import Layout
from intpv.model.model import Model
from intpv.origin import origin_of
from intpv.rearranger.rearranger import Rearranger
from intpv.rope_strategy.apply import applied, geometry_of
from intpv.rope_strategy.counts import position_ids
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.watched import Prefill, VideoContext


@dataclass(frozen=True)
class VideoLLM:
    """A model with one way to rearrange, scale and quantise."""

    model: Model
    rearranger: Rearranger
    rope_strategy: RopeStrategy
    kv_quant: KVQuant | NoQuant
    max_new_tokens: int = 8

    @torch.inference_mode()
    def watch(
        self, frames: UInt8[Tensor, "F C H W"], timestamps: Float[Tensor, " F"], video_id: str = ""
    ) -> VideoContext:
        """Decoded frames of any size; `timestamps` in seconds, `video_id` seeds the random rearranger."""
        pixels = self.model.preprocess.fit(frames.to(self.device))
        return self.pack(self.prefill(self.look(pixels, video_id), timestamps, video_id))

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
        """Fitted frames through the tower, in groups: all that does not depend on projector, RoPE and quantisation."""
        normalised = self.model.preprocess.normalise(pixels.to(self.device))
        order, together = self.order(len(pixels), video_id), self.model.encoder.frames_per_slot
        with lap("split", self.device):
            slots = normalised if together == 1 else normalised.unflatten(0, (-1, together))
            groups = self.rearranger.split(slots, order)
        return self.model.encoder.features(groups)

    @torch.inference_mode()
    def tokens(self, features: Float[Tensor, "m N *P E"], video_id: str = "") -> Float[Tensor, "F *P D"]:
        """The tower's output through the projector, back in the order of time."""
        groups = self.model.encoder.project(features.to(self.device))
        with lap("merge", self.device):
            frames = groups.shape[0] * groups.shape[1] * self.model.encoder.frames_per_slot
            return self.rearranger.merge(groups, self.order(frames, video_id))

    @torch.inference_mode()
    def prefill(
        self, features: Float[Tensor, "m N *P E"], timestamps: Float[Tensor, " F"], video_id: str = ""
    ) -> Prefill:
        """The prefix in full precision, under the rotation of `rope_strategy`."""
        encoder, tokens = self.model.encoder, self.tokens(features, video_id)
        pieces = self._pieces(timestamps.tolist(), tuple(tokens.shape[1:-1]))
        layout = layout_of(pieces)
        visual, beside = encoder.inputs(tokens, layout)
        embeddings = embeddings_of(pieces, visual, self.model.llm.get_input_embeddings())
        factor = self.rope_strategy.resolve(layout, self.model.trained_visual_length, self.model.window_length)
        geometry = self._geometry(layout)
        # both mask and cache are given: without them transformers takes any position step but 1 for a packed border
        cache = DynamicCache()
        with applied(self.model.rotary, self.rope_strategy, geometry, factor):
            self.model.decoder(
                inputs_embeds=embeddings[None],
                attention_mask=torch.ones(1, layout.length, dtype=torch.long, device=self.device),
                position_ids=position_ids(self.rope_strategy.positions(layout, factor)).to(self.device),
                **handed(self.model.decoder, cache),
                **beside,
            )
        return Prefill(layers_of(cache), layout, geometry, factor)

    @torch.inference_mode()
    def pack(self, prefill: Prefill) -> VideoContext:
        """Keep or quantise the prefix; `prefill` stays as it is, so that other policies can pack it too."""
        layout, geometry, factor = prefill.layout, prefill.geometry, prefill.factor
        angles = self.rope_strategy.angles(layout, geometry, factor)
        packed = self.kv_quant.pack(prefill.layers, layout, angles, lambda: self.origin(prefill))
        return VideoContext(packed, layout, geometry, factor)

    def origin(self, prefill: Prefill) -> Origin:
        """What calibrated ranges must share with this prefix; the first call hashes the model's weights."""
        return origin_of(self.model, self.rearranger, self.rope_strategy, prefill)

    @torch.inference_mode()
    def ask(
        self, context: VideoContext, questions: Sequence[str], options: Sequence[Sequence[str]] | None = None
    ) -> list[Answer]:
        """Answer each question by greedy generation, beside it the log-likelihood of each of its options."""
        if not questions:
            return []
        rows = [self._question_ids(question) for question in questions]
        options = options or [()] * len(rows)
        longest = max((len(self._ids(option)) for of in options for option in of), default=0)
        room = max(len(row) for row in rows) + max(self.max_new_tokens, longest)
        positions = self.rope_strategy.positions(context.layout.ask(room), context.factor)[:, context.layout.length :]
        with (
            applied(self.model.rotary, self.rope_strategy, context.geometry, context.factor),
            use(self.model.decoder),
            attending_to(context.packed),
        ):
            asking = Asking(self.model.llm, self.model.tokenizer, positions.to(self.device))
            return asking.answer(rows, options, self.max_new_tokens)

    def prefix_layout(self, num_frames: int) -> Layout:
        """The layout of a watched video of F frames, its timestamps left at 0: for sizes told without watching."""
        return layout_of(self._pieces([0.0] * num_frames, self.model.encoder.grid))

    @property
    def device(self) -> torch.device:
        return self.model.llm.device

    def _geometry(self, layout: Layout) -> RopeGeometry:
        trained = self.rope_strategy.trained_length(self.model.trained_visual_length, self.model.window_length)
        text = self.model.llm.config.get_text_config()
        return geometry_of(text, trained, self.model.rotary, layout.growing_axes)

    def _pieces(self, seconds: list[float], grid: tuple[int, ...]) -> list[Piece]:
        prompt = self.model.prompt
        return self.model.encoder.pieces(self.model.tokenizer, prompt.before_video, prompt.after_video, seconds, grid)

    def _ids(self, option: str) -> list[int]:
        return self.model.tokenizer(option, add_special_tokens=False).input_ids

    def _question_ids(self, question: str) -> Int[Tensor, " R"]:
        ids = words(self.model.tokenizer, self.model.prompt.question(question), self.model.encoder.behind).ids
        room = self.model.window_length - self.max_new_tokens
        if len(ids) > room:
            raise BadInput(
                f"a question may have {room} tokens (window {self.model.window_length} less {self.max_new_tokens} "
                f"for the answer), got {len(ids)}: {question[:40]}..."
            )
        return torch.tensor(ids, dtype=torch.long, device=self.device)
