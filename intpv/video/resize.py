"""Resize: uint8 frames to another size; bicubic as PIL makes it, bilinear within one grey level of it, batched."""

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate


def resized(
    frames: UInt8[Tensor, "F C H W"], height: int, width: int, rows: slice, columns: slice, mode: str, antialias: bool
) -> UInt8[Tensor, "F C h w"]:
    """The frames at height x width, of which only rows x columns are kept.

    With `antialias` as PIL does it (bilinear or bicubic), without it as torch.nn.functional.interpolate.
    """
    if mode == "bicubic" and antialias:
        return _by_pil(frames, height, width)[..., rows, columns]
    pixels = interpolate(frames.float(), size=(height, width), mode=mode, antialias=antialias, align_corners=False)
    return pixels[..., rows, columns].round().clamp(0, 255).to(torch.uint8)


def _by_pil(frames: UInt8[Tensor, "F C H W"], height: int, width: int) -> UInt8[Tensor, "F C h w"]:
    """One frame after the other, on the CPU.

    Between its passes PIL keeps whole numbers from 0 to 255, which cuts the overshoot of sharp edges, and since Pillow
    13 it chooses which side is first. One pass in floats is 25 grey levels off on noise, and uint8 kernels of torch,
    which are faster, now and then 2; PIL itself is faster than two passes in floats.
    """
    images = (Image.fromarray(frame) for frame in frames.permute(0, 2, 3, 1).cpu().contiguous().numpy())
    done = np.stack([np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)) for image in images])
    return torch.from_numpy(done).permute(0, 3, 1, 2).contiguous().to(frames.device)
