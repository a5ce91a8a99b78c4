"""Unrestored: strided groups whose tokens are never put back. A broken control: what restoring the order is worth."""

from intpv.rearranger.strided import Strided


class Unrestored(Strided):
    """The LLM reads group after group, so that time starts over m times. At F = N it is the identity, like Strided."""

    restore = False
