"""Subject: the model that is checked, shown random frames, with what several checks need made once."""

from functools import cached_property

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.encoder.prefix_pieces import Piece, Words, words
from intpv.kv_quant.kv_quant import NoQuant
from intpv.model.model import Model
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.rearranger import Rearranger
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.context import Prefill
from intpv.video_llm.video_llm import VideoLLM

SIZE = (360, 640)  # pixels, of a frame
SPACING = 0.5  # s between frames
QUESTIONS = ("Did red flash?", "Which color flashed first?")


class Subject:
    """Baseline throughout: contiguous groups, RoPE as trained, the cache unquantised. `rearranger` is the run's own."""

    def __init__(self, model: Model, rearranger: Rearranger):
        self.model, self.rearranger = model, rearranger
        self.llm = VideoLLM(model, Contiguous(), NoScaling(), NoQuant(), max_new_tokens=1)

    @property
    def group_frames(self) -> int:
        """N x t, frames that the tower takes at once."""
        return self.model.encoder.group_length * self.model.encoder.frames_per_slot

    def times(self, frames: int) -> Float[Tensor, " F"]:
        return torch.arange(frames) * SPACING

    def pixels(self, frames: int) -> UInt8[Tensor, "F C h w"]:
        """The same noise for the same number of frames, fitted; smooth in space, or resizing would leave grey."""
        generator = torch.Generator().manual_seed(frames)
        coarse = torch.rand(frames, 3, *(side // 40 for side in SIZE), generator=generator)
        film = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear", align_corners=False)
        return self.model.preprocess.fit((film * 255).to(torch.uint8).to(self.llm.device))

    def groups(self, pixels: UInt8[Tensor, "F C h w"]) -> Float[Tensor, "m N *frame"]:
        """As the tower takes them, contiguous."""
        normalised, together = self.model.preprocess.normalise(pixels), self.model.encoder.frames_per_slot
        slots = normalised if together == 1 else normalised.unflatten(0, (-1, together))
        return slots.unflatten(0, (-1, self.model.encoder.group_length))

    @cached_property
    def features(self) -> Float[Tensor, "1 N *P E"]:
        """Of one group."""
        return self.model.encoder.features(self.groups(self.pixels(self.group_frames)))

    @cached_property
    def tokens(self) -> Float[Tensor, "N *P W"]:
        return self.llm.tokens(self.features)

    @cached_property
    def prefill(self) -> Prefill:
        return self.prefilled(self.llm)

    def prefilled(self, llm: VideoLLM) -> Prefill:
        """The one group, prefilled anew."""
        return llm.prefill(self.features, self.times(self.group_frames))

    def pieces(self) -> list[Piece]:
        """The prefix of one group."""
        model, seconds = self.model, self.times(self.group_frames).tolist()
        prompt, grid = model.prompt, tuple(self.tokens.shape[1:-1])
        return model.encoder.pieces(model.tokenizer, prompt.before_video, prompt.after_video, seconds, grid)

    def question(self, text: str) -> Words:
        return words(self.model.tokenizer, self.model.prompt.question(text), self.model.encoder.behind)


def largest_difference(one, other) -> float:
    """Between two prefixes' keys and values, layer by layer; both in full precision and of one shape."""
    pairs = [(x, y) for a, b in zip(one.layers, other.layers, strict=True) for x, y in zip(a, b, strict=True)]
    return max(float((x.float() - y.float()).abs().max()) for x, y in pairs)
