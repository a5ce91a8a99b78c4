"""Prefix rules: from a video's tokens to what the decoder is given, and at which angles it is rotated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.budget.budget import Budget
from intpv.budget.frame_tokens import FrameTokens
from intpv.budget.none import NoBudget
from intpv.encoder.prefix_pieces import Piece, embeddings_of, embeddings_within, layout_of
from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.layout import Layout, Span
from intpv.model.model import Model
from intpv.rope_strategy.own_rope import own_rope
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.strategy import RopeStrategy, reach, visual_reach
from intpv.video_llm.passes import Passes


@dataclass(frozen=True)
class PrefixRules:
    """What of a Video-LLM shapes its prefix, once the tokens are back in the order of time."""

    model: Model
    rope_strategy: RopeStrategy
    budget: Budget

    def prefix(
        self, tokens: Float[Tensor, "F *P D"], seconds: list[float], video_id: str
    ) -> tuple[Rotation, dict[str, Any]]:
        """How the prefix is rotated, and what the decoder is given."""
        encoder, grid = self.model.encoder, self._grid(tokens)
        pieces = self._pieces(seconds, grid)
        visual, beside = encoder.inputs(tokens, layout_of(pieces))
        if not isinstance(self.budget, NoBudget):
            kept = self.budget.reduce(visual.unflatten(0, (len(tokens), -1)), video_id)
            pieces, visual = self._left(pieces, kept.places), kept.tokens
        layout = layout_of(pieces)
        embeddings = embeddings_of(pieces, visual, self.model.llm.get_input_embeddings())
        return self._rotation(layout, seconds, grid), {"inputs_embeds": embeddings[None], **beside}

    def by_pass(
        self, tokens: Callable[[range], Float[Tensor, "n *P D"]], passes: Passes, seconds: list[float], video_id: str
    ) -> tuple[Rotation, Callable[[range], dict[str, Any]]]:
        """As `prefix`, for a decoder that is given a run of tokens at a time; `tokens` makes those of a range of slots,
        of no more at once than `passes` says."""
        first = tokens(range(1))
        grid, embed = self._grid(first), self.model.llm.get_input_embeddings()
        pieces, width, per_slot = self._pieces(seconds, grid), first.shape[-1], first[0, ..., 0].numel()
        slots = sum(isinstance(piece, Span) for piece in pieces)
        at_once = passes.projected(slots, per_slot, self.model.encoder.frames_per_slot)
        video = FrameTokens(slots, per_slot, at_once, lambda part: tokens(part).flatten(1, -2))
        kept = self.budget.reduce_parts(video, video_id)
        if not isinstance(self.budget, NoBudget):
            pieces = self._left(pieces, kept.places)

        def visual(frames: range) -> Tensor:
            return kept.of(frames) if frames else first.new_empty(0, width)

        def given(run: range) -> dict[str, Any]:
            return {"inputs_embeds": embeddings_within(pieces, run, visual, embed)[None]}

        return self._rotation(layout_of(pieces), seconds, grid), given

    def blind(self) -> tuple[Rotation, dict[str, Any]]:
        """The prompt's text alone. BadInput for M-RoPE, whose positions follow from frames."""
        grid, embed = self.model.encoder.grid, self.model.llm.get_input_embeddings()
        if len(grid) > 1:
            raise BadInput(f"a prefix without frames is not there for M-RoPE, got the model {self.model.name}")
        none = torch.arange(0, device=self.model.llm.device)
        embeddings = embeddings_of(pieces := self._pieces([], grid), embed(none), embed)
        return self._rotation(layout_of(pieces), [], grid), {"inputs_embeds": embeddings[None]}

    def layout(self, num_frames: int) -> Layout:
        """Of a watched video of F frames, its timestamps left at 0. Under a budget that looks at the video, as many
        tokens, not in these frames."""
        pieces = self._pieces([0.0] * num_frames, self.model.encoder.grid)
        return layout_of(pieces if isinstance(self.budget, NoBudget) else self._left(pieces))

    def _left(self, pieces: Sequence[Piece], places: Sequence[tuple[int, ...]] | None = None) -> list[Piece]:
        """The pieces with what the budget leaves of each frame, at these places or at those to be expected."""
        whole = [piece for piece in pieces if isinstance(piece, Span)]
        left = iter(places or self.budget.expected(len(whole), whole[0].length))
        return [self.budget.span(piece, next(left)) if isinstance(piece, Span) else piece for piece in pieces]

    def _grid(self, tokens: Float[Tensor, "n *P D"]) -> tuple[int, ...]:
        """Of a whole frame, of which the tower may have been shown less."""
        return tuple(tokens.shape[1:-1]) if self.budget.tower_side is None else self.model.encoder.grid

    def _rotation(self, layout: Layout, seconds: list[float], grid: tuple[int, ...]) -> Rotation:
        """Fixed here, once per context."""
        strategy, window = self.rope_strategy, self.model.window_length
        trained = self._trained(layout, seconds, grid)
        factor = strategy.resolve(layout, trained, window)
        length = max(reach(layout)) + strategy.reserve_text
        own = own_rope(self.model.rotary, strategy.trained_length(layout, trained, window), layout.growing_axes, length)
        return Rotation(strategy, layout, own, factor)

    def _trained(self, layout: Layout, seconds: list[float], grid: tuple[int, ...]) -> tuple[int, ...]:
        """Positions that the video takes on each axis if shown as in training: the same seconds and sizes, in as many
        frames as make the trained visual length.
        """
        model, encoder = self.model, self.model.encoder
        if not layout.has_grids:
            return (model.trained_visual_length,)
        frames = max(model.trained_visual_length // encoder.tokens_per_frame, 1) * encoder.frames_per_slot
        if frames == len(seconds):
            return visual_reach(layout)
        return visual_reach(layout_of(self._pieces(evenly(seconds, frames), grid)))

    def _pieces(self, seconds: list[float], grid: tuple[int, ...]) -> list[Piece]:
        prompt, encoder = self.model.prompt, self.model.encoder
        # what an encoder puts between and behind frames goes where there are none
        pieces = type(encoder).pieces if seconds else VideoEncoder.pieces
        return pieces(encoder, self.model.tokenizer, prompt.before_video, prompt.after_video, seconds, grid)


def evenly(seconds: Sequence[float], count: int) -> list[float]:
    """The middles of `count` equal parts of a video, of which these times are the middles of others."""
    part = (seconds[-1] - seconds[0]) / max(len(seconds) - 1, 1)
    start, length = seconds[0] - part / 2, part * len(seconds)
    return [start + length * ((index + 0.5) / count) for index in range(count)]
