"""Unrestored: strided groups whose tokens are never put back. A broken control: what restoring the order is worth."""

from intpv.rearranger.strided import Strided


class Unrestored(Strided):
    """The LLM reads group after group, so that time starts over m times. At F = N it is the identity, like Strided.

    >>> order = Unrestored().order(4, group_length=2)
    >>> order.tolist()
    [[0, 2], [1, 3]]
    >>> tokens = order[..., None].float()  # one a frame, its number
    >>> Unrestored().merge(tokens, order).flatten().tolist(), Strided().merge(tokens, order).flatten().tolist()
    ([0.0, 2.0, 1.0, 3.0], [0.0, 1.0, 2.0, 3.0])
    """

    restore = False
