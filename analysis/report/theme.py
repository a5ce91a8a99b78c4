"""Theme: the colours of strategies on light and on dark paper; a strategy keeps its hue."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_hex, to_rgb

DARK = "#15171c"  # as page.css has it
CONTRAST = 4.0  # with the paper, at least; WCAG 2.1 asks 3 of graphics


def theme(colors: Sequence[str]) -> str:
    """CSS variables --strategy-0 and on, for light paper and for dark."""
    light = "".join(f"--strategy-{place}:{color};" for place, color in enumerate(colors))
    dark = "".join(f"--strategy-{place}:{lightened(color)};" for place, color in enumerate(colors))
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def lightened(color: str) -> str:
    """Mixed with white until it stands out from dark paper.

    >>> lightened("#E69F00"), lightened("#000000")
    ('#e69f00', '#808080')
    """
    own = np.array(to_rgb(color))
    mixed = (own + part * (1 - own) for part in np.linspace(0, 1, 51))
    return next(to_hex(one) for one in mixed if contrast(to_hex(one), DARK) >= CONTRAST)


def contrast(one: str, other: str) -> float:
    """1 to 21, of relative luminances (WCAG 2.1)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    shares = np.array(to_rgb(color))
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
