"""No eviction: every layer keeps all tokens of the prefix."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NoEvict:
    """Has no cap, and nothing to choose.

    >>> NoEvict()
    NoEvict()
    """
