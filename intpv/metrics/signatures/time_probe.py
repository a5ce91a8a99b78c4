"""Time probe: can the time of a frame be read off its tokens by a linear map that was fitted at the trained length?

A video leaves its second moments alone, so that any set of videos can be fitted and any other judged by it: each is
judged by the fit of all others. Errors are in shares of the clip, 0 its first frame's time and 1 its last one's.
"""

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

WIDTH = 64  # channels that are regressed on: wider tokens are projected at random, always by the same map
CUTOFF = 1e-8  # relative: directions of the tokens in which there is nothing but rounding


def moments(tokens: Float[Tensor, "F P D"], times: Float[Tensor, " F"]) -> Float[Tensor, "k k"]:
    """Z'Z of the rows Z = (token, 1, time), in float64; k = min(D, 64) + 2.

    >>> moments(torch.tensor([[[3.0]], [[5.0]]]), torch.tensor([0.0, 1.0])).tolist()  # rows (3, 1, 0) and (5, 1, 1)
    [[34.0, 8.0, 5.0], [8.0, 2.0, 1.0], [5.0, 1.0, 1.0]]
    """
    x = tokens.flatten(0, 1).double().cpu()
    if x.shape[1] > WIDTH:
        generator = torch.Generator().manual_seed(0)
        x = x @ torch.randn(x.shape[1], WIDTH, generator=generator, dtype=x.dtype) / WIDTH**0.5
    y = times.double().cpu().repeat_interleave(tokens.shape[1])
    z = torch.cat([x, torch.ones_like(y)[:, None], y[:, None]], 1)
    return z.T @ z


def held_out(fitted: Float[Tensor, "videos k k"], judged: Float[Tensor, "videos k k"]) -> list[tuple[float, float]]:
    """(RMS error, R^2) of each of `judged` under the fit of all of `fitted` but its own; at least two videos.

    >>> times = torch.tensor([0.0, 0.5, 1.0])
    >>> tokens = times.view(3, 1, 1)  # that tell the time as it is
    >>> right, wrong = moments(tokens, times), moments(tokens, 1 - times)
    >>> errors = [error for error, _ in held_out(torch.stack([right, right]), torch.stack([right, wrong]))]
    >>> [f"{error:.2f}" for error in errors]  # off by 1, 0 and 1: the root of 2/3
    ['0.00', '0.82']
    """
    together = fitted.sum(0)
    return [_judge((together - own).numpy(), one.numpy()) for own, one in zip(fitted, judged, strict=True)]


def _judge(fit: NDArray, of: NDArray) -> tuple[float, float]:
    weights, *_ = scipy.linalg.lstsq(fit[:-1, :-1], fit[:-1, -1], cond=CUTOFF)
    residual = np.append(weights, -1.0)
    rows = of[-2, -2]
    error = max(float(residual @ of @ residual), 0.0) / rows
    spread = of[-1, -1] / rows - (of[-2, -1] / rows) ** 2
    return error**0.5, 1 - error / spread if spread > 0 else 0.0
