"""Group length: whether F frames make whole groups of N, told without torch, before anything is loaded."""

from intpv.errors import BadInput


def check_frames(num_frames: int, group_length: int) -> None:
    """BadInput unless F = num_frames is a positive multiple of N = group_length.

    >>> check_frames(12, group_length=8)
    Traceback (most recent call last):
        ...
    intpv.errors.BadInput: frames must be a multiple of 8, the tower's group length, got 12: use 8 or 16
    """
    if num_frames <= 0 or num_frames % group_length:
        raise BadInput(
            f"frames must be a multiple of {group_length}, the tower's group length, "
            f"got {num_frames}: use {_nearest_multiples(num_frames, group_length)}"
        )


def _nearest_multiples(num_frames: int, group_length: int) -> str:
    """The positive multiples of `group_length` next to `num_frames`: "8 or 16", or "8" alone."""
    below = max(num_frames, 0) // group_length * group_length
    return " or ".join(str(count) for count in (below, below + group_length) if count > 0)
