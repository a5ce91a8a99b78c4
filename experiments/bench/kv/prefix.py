"""Specimen: a prefix in full precision with the query rows that are asked of it; what every method is given to hold."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.streaming import Asked
from intpv.kv_quant.kv_quant import Layers
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq


@dataclass(frozen=True)
class Specimen:
    """All layers of one prefix; `asked` has one entry a layer, or none where only time is measured."""

    layers: Layers
    layout: Layout
    angles: Float[Tensor, "S half"] | None  # rad, the rotation that is in the keys; None: it cannot be undone
    asked: tuple[Asked, ...] = ()

    @property
    def elements(self) -> int:
        """2 * L * H_kv * S * d."""
        return sum(keys.numel() + values.numel() for keys, values in self.layers)


# A layer's keys, values and late queries drawn to look like those of a model that has watched a video.
#
# Keys before RoPE: per channel a log-normal scale around a mean; the mean is 0 but in OUTLIERS channels of each head,
# where it is 8 scales off (KIVI, arXiv 2402.02750, finds such channels in real keys). The same patch in two frames
# correlates by `same_patch`. Values have a log-normal scale per token. A query looks for one token's key, not quite,
# and has a share of its own along the outliers; queries stand behind the prefix. Their length is what is left to
# choose: it is set so that half of the rows spread their attention over less than `width` tokens (the exponential of
# the entropy).
#
# It ranks methods and foretells no accuracy: it is drawn, not seen.


OUTLIERS, OFFSET = 5, 8.0  # channels per head whose mean is OFFSET scales from 0
SPREAD = 0.5  # standard deviation of the logarithm of scales, of key channels and of value tokens
BLUR = 0.7  # noise of a query beside the key that it looks for, in scales
ALONG = 0.3  # of a query along the outliers' means
BISECTIONS = 30


@dataclass(frozen=True)
class VideoLike:
    """The defaults are one head group of a 7B over 16 frames of 256 patches."""

    heads: int = 8
    head_dim: int = 128
    frames: int = 16
    patches: int = 256  # per frame
    same_patch: float = 0.77  # correlation of one patch's keys, and values, across frames
    rows: int = 64  # queries
    width: float = 23.0  # tokens
    base: float = 1e4  # of RoPE
    dtype: torch.dtype = torch.float32

    def draw(self, seed: int) -> Specimen:
        """One layer; the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        length = self.frames * self.patches
        scale = (SPREAD * self._normal(generator, 1, self.head_dim)).exp()
        mean, seen = self._outliers(generator, scale), self._tokens(generator)
        angles = torch.arange(length + self.rows)[:, None] * baseline_inv_freq(
            RopeGeometry(self.head_dim, self.base, length)
        )
        keys = rotated(mean + scale * seen, angles[:length]).to(self.dtype)
        values = self._tokens(generator) * (SPREAD * self._normal(generator, length, 1)).exp()
        queries = self._queries(generator, keys, seen, mean, scale, angles[length:])
        own, seen = keys.new_zeros(self.heads, 1, self.head_dim), torch.zeros(self.rows, 1, dtype=torch.bool)
        asked = Asked(queries, own, own, seen, self.head_dim**-0.5)  # of the question's own keys no row sees any
        layout = Layout(tuple(Span(self.patches, float(second)) for second in range(self.frames)))
        return Specimen([(keys, values.to(self.dtype))], layout, angles[:length], (asked,))

    def _normal(self, generator: torch.Generator, *shape: int) -> Tensor:
        return torch.randn(self.heads, *shape, generator=generator)

    def _outliers(self, generator: torch.Generator, scale: Tensor) -> Float[Tensor, "H 1 d"]:
        mean = torch.zeros_like(scale)
        for head in range(self.heads):
            channels = torch.randperm(self.head_dim, generator=generator)[:OUTLIERS]
            side = torch.randn(OUTLIERS, generator=generator).sign()
            mean[head, 0, channels] = OFFSET * side * scale[head, 0, channels]
        return mean

    def _tokens(self, generator: torch.Generator) -> Float[Tensor, "H S d"]:
        """Standard normal, a part of it common to a patch in all frames."""
        common = self._normal(generator, 1, self.patches, self.head_dim)
        single = self._normal(generator, self.frames, self.patches, self.head_dim)
        return (self.same_patch**0.5 * common + (1 - self.same_patch) ** 0.5 * single).flatten(1, 2)

    def _queries(self, generator, keys, seen, mean, scale, angles) -> Float[Tensor, "H R d"]:
        target = torch.randint(keys.shape[1], (self.heads, self.rows), generator=generator)
        target = seen.gather(1, target.unsqueeze(-1).expand(-1, -1, self.head_dim))
        looking = (target + BLUR * self._normal(generator, self.rows, self.head_dim)) / scale
        looking = looking + ALONG * mean.sign() * self._normal(generator, self.rows, 1)
        low, high = 1e-3, 1e3
        for _ in range(BISECTIONS):
            middle = (low * high) ** 0.5
            queries = rotated(middle * looking, angles)
            wide = sharpness(queries, keys)["width"] > self.width
            low, high = (middle, high) if wide else (low, middle)
        return queries


def sharpness(queries: Float[Tensor, "H R d"], keys: Float[Tensor, "H S d"]) -> dict[str, float]:
    """`width`, the median over rows of exp(entropy) in tokens, and `top1`, the mean mass on the first key."""
    logp = (queries.float() @ keys.float().mT * queries.shape[-1] ** -0.5).log_softmax(-1)
    p = logp.exp()
    width = -(p * logp).sum(-1)
    return {"width": width.exp().median().item(), "top1": p.amax(-1).mean().item()}


def rotated(x: Float[Tensor, "H t d"], angles: Float[Tensor, "t half"]) -> Float[Tensor, "H t d"]:
    """x with its pairs of channels (i, i + d/2) turned by the angles."""
    first, second = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
