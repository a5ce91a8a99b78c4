"""Units: numbers as a person reads them, three digits and a prefix."""

MISSING = "–"
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))
_SECONDS = ((1, "s"), (1e-3, "ms"), (1e-6, "µs"))


def bytes_text(count: float | None) -> str:
    """12345 -> 12.3 kB; decimal prefixes, whole bytes below 1000."""
    return MISSING if count is None else f"{count:.0f} B" if count < 999.5 else _prefixed(count, _BYTES)


def seconds_text(seconds: float | None) -> str:
    """0.0123 -> 12.3 ms."""
    return MISSING if seconds is None else _prefixed(seconds, _SECONDS)


def percent(share: float | None, digits: int = 1) -> str:
    """0.1234 -> 12.3; never -0."""
    return MISSING if share is None else f"{round(100 * share, digits) + 0.0:.{digits}f}"


def interval_text(low: float | None, high: float | None, digits: int = 0) -> str:
    """[12, 34] in percent after a space; nothing where there is no interval."""
    return "" if low is None or high is None else f" [{percent(low, digits)}, {percent(high, digits)}]"


def _prefixed(value: float, prefixes: tuple[tuple[float, str], ...]) -> str:
    rounded = float(f"{value:.3g}")  # first, so that 999.9 kB becomes 1.00 MB
    size, unit = next(((size, unit) for size, unit in prefixes if rounded >= size), prefixes[-1])
    number = float(f"{rounded / size:.3g}")
    return f"{number:.{max(0, 3 - len(str(int(number))))}f} {unit}"
