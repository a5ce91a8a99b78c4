"""Small entries of every kind, and how to compare them."""

import torch

from intpv.cache.hashing import key

DTYPES = (
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
)


def entry(seed: int = 0, size: int = 200) -> dict[str, torch.Tensor]:
    """A uint8 tensor of `size` elements, told by the seed, beside small ones of other kinds."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "frames": torch.randint(0, 256, (size,), generator=generator, dtype=torch.uint8),
        "features": torch.randn(3, 2, generator=generator).to(torch.bfloat16),
        "seed": torch.tensor(seed),
        "none": torch.zeros(0, 4),
    }


def address(number: int = 0) -> str:
    """A key."""
    return key("frames", number=number)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes, so that NaN equals NaN and 0.0 differs from -0.0."""
    return tensor.detach().clone(memory_format=torch.contiguous_format).flatten().view(torch.uint8)


def same(left, right) -> bool:
    """Bit for bit: names, dtypes, shapes and bytes."""
    return (
        left is not None
        and left.keys() == right.keys()
        and all(
            left[name].dtype == right[name].dtype
            and left[name].shape == right[name].shape
            and torch.equal(bits(left[name]), bits(right[name]))
            for name in left
        )
    )
