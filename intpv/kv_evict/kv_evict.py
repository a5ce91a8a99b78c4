"""KV eviction: what every rule that keeps a part of a prefix offers, and how many tokens a cap leaves."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.bounds import check_flag, check_whole, shown
from intpv.errors import BadInput
from intpv.layout import Layout

TEXT = -1  # the frame of a token that belongs to none


@dataclass(frozen=True, eq=False)
class LayerTokens:
    """Tokens of a prefix as one layer has read them: all that a rule knows, and nothing of any question."""

    index: int  # of the layer
    keys: Float[Tensor, "H_kv n d"]  # as rotated
    values: Float[Tensor, "H_kv n d"]
    tokens: Int[Tensor, " n"]  # which of the prefix' tokens these are, ascending
    frames: Int[Tensor, " n"]  # whose they are, TEXT where there is none
    places: Int[Tensor, " n"]  # where in its whole frame each stands
    # rad by which keys are rotated, of all tokens of the prefix; None: by no one table
    angles: Float[Tensor, "S half"] | None = None
    video_id: str = ""
    queries: Float[Tensor, "H w d"] | None = None  # as rotated, of the latest w tokens; None: the rule looks at none
    scaling: float = 1.0  # by which attention multiplies query times key


@dataclass(frozen=True, eq=False)
class LatestQueries:
    """The queries of the latest tokens of a prefix, `most` of each layer, kept as the layers are read."""

    most: int
    layers: dict[int, Float[Tensor, "H w d"]] = field(default_factory=dict)
    scalings: dict[int, float] = field(default_factory=dict)

    def hear(self, index: int, queries: Float[Tensor, "H R d"], scaling: float) -> None:
        """A layer's next tokens'."""
        before = [self.layers[index]] if index in self.layers else []
        self.layers[index] = torch.cat([*before, queries[:, -self.most :]], 1)[:, -self.most :].clone()
        self.scalings[index] = scaling


def frames_and_places(layout: Layout) -> tuple[Int[Tensor, " S"], Int[Tensor, " S"]]:
    """Of each token of a prefix, its frame (TEXT for none) and where in the whole frame it stands.

    >>> from intpv.layout import Span
    >>> layout = Layout((Span(1), Span(2, time=0.0), Span(2, time=1.0, places=(0, 3), advance=4)))
    >>> frames, places = frames_and_places(layout)
    >>> frames.tolist(), places.tolist()
    ([-1, 0, 0, 1, 1], [0, 0, 1, 0, 3])
    """
    frames: list[int] = []
    places: list[int] = []
    frame = 0
    for span in layout.spans:
        frames += [frame if span.is_frame else TEXT] * span.length
        places += (span.places or range(span.length)) if span.is_frame else [0] * span.length
        frame += span.is_frame
    return torch.tensor(frames, dtype=torch.long), torch.tensor(places, dtype=torch.long)


@dataclass(frozen=True, kw_only=True)
class KVEvict(ABC):
    """Chosen without the question, which comes after the watching. Text always stays; what is left of a video's tokens
    keeps its positions, each layer has its own, and all layers equally many.

    The cap is in tokens or in bytes, and is used up as far as it goes.
    """

    tokens: int | None = None  # of the prefix, text among them, that each layer keeps at most
    bytes: int | None = None  # of the packed prefix, all layers together, at most
    # after each pass of a prefill in passes, so that memory has a bound and later tokens attend to what is left
    early: bool = False
    whole_frames: bool = False  # frames stay or go as a whole, by the mean score of their tokens

    def __post_init__(self) -> None:
        for name in ("tokens", "bytes"):
            check_whole(f"kv_evict.{name}", getattr(self, name), or_null=True)
        if (self.tokens is None) == (self.bytes is None):
            raise BadInput(
                f"kv_evict takes one cap, kv_evict.tokens or kv_evict.bytes, the other null, got "
                f"{shown(self.tokens)} and {shown(self.bytes)}"
            )
        for name in ("early", "whole_frames"):
            check_flag(f"kv_evict.{name}", getattr(self, name))
        if self.early and self.whole_frames:
            raise BadInput("kv_evict.whole_frames=true needs whole frames, kv_evict.early=true cuts after any token")

    @property
    def name(self) -> str:
        """The option of conf/ that it is: options and modules have the same names."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def observers(self) -> int:
        """How many of the latest tokens' queries it looks at: `LayerTokens.queries`. A rule that looks at any has a
        field of this name: cells of a sweep with the same one share their prefixes."""
        return 0

    @abstractmethod
    def scores(self, layer: LayerTokens) -> Float[Tensor, " n"]:
        """The higher the longer a token stays; those of text are not read. Of equal ones the earlier stays."""

    def capacity(self, layout: Layout, nbytes: Callable[[int], int]) -> int | None:
        """How many tokens each layer keeps of a prefix, None: all of them. `nbytes` says in how many bytes so many are
        packed. BadInput for a cap below the text, or below text and a frame where frames are whole.
        """
        frames = [span.length for span in layout.spans if span.is_frame]
        if self.whole_frames and len(set(frames)) > 1:
            raise BadInput(
                f"kv_evict.whole_frames=true needs frames of one length, got {min(frames)} and {max(frames)} tokens"
            )
        step = frames[0] if self.whole_frames and frames else 1
        least = layout.length - sum(frames) + (step if self.whole_frames and frames else 0)
        what = "text and a frame" if self.whole_frames else "text"
        sizes = range(least, layout.length, step)
        if self.tokens is not None:
            if self.tokens >= layout.length:
                return None
            if self.tokens < least:
                raise BadInput(f"kv_evict.tokens must be at least the prefix' {what}, {least}, got {self.tokens}")
            return sizes[bisect_right(sizes, self.tokens) - 1]
        assert self.bytes is not None  # one of the two is given
        if nbytes(layout.length) <= self.bytes:
            return None
        if not sizes or nbytes(least) > self.bytes:
            raise BadInput(
                f"kv_evict.bytes must be at least those of the prefix' {what}, {nbytes(least)} for {least} tokens, "
                f"got {self.bytes}"
            )
        return sizes[bisect_right(sizes, self.bytes, key=nbytes) - 1]

    def keep(self, layer: LayerTokens, count: int) -> Int[Tensor, " kept"]:
        """Which n of a layer's tokens stay: all text, and `count` of the others; ascending."""
        visual = (layer.frames != TEXT).nonzero()[:, 0]
        if len(visual) <= count:
            return torch.arange(len(layer.tokens), device=visual.device)
        scores = self.scores(layer)[visual]
        if self.whole_frames:
            frames = layer.frames[visual].unique_consecutive()
            scores = scores.view(len(frames), -1).mean(1).repeat_interleave(len(visual) // len(frames))
        best = visual[scores.argsort(descending=True, stable=True)[:count]]
        return torch.cat([(layer.frames == TEXT).nonzero()[:, 0], best]).sort().values
