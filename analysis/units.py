"""Units: numbers as a person reads them, three digits and a prefix."""

from intpv.metrics.interval import FEW

MISSING = "–"
MOST_DIGITS = 3  # behind the point, of a bound in percent
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))
_SECONDS = ((1, "s"), (1e-3, "ms"), (1e-6, "µs"))
_NATS = ((1, "nat"), (1e-3, "mnat"), (1e-6, "µnat"), (1e-9, "nnat"))


def bytes_text(count: float | None) -> str:
    """12345 -> 12.3 kB; decimal prefixes, whole bytes below 1000."""
    return MISSING if count is None else f"{count:.0f} B" if count < 999.5 else _prefixed(count, _BYTES)


def seconds_text(seconds: float | None) -> str:
    """0.0123 -> 12.3 ms."""
    return MISSING if seconds is None else _prefixed(seconds, _SECONDS)


def nats_text(nats: float | None, low: float | None = None, high: float | None = None) -> str:
    """0.0123 -> 12.3 mnat, its interval in the same unit: 12.3 mnat [9.8, 15]; what rounding leaves is 0."""
    if nats is None:
        return MISSING
    if nats < 1e-12:
        return "0"
    value = _prefixed(nats, _NATS)
    if low is None or high is None:
        return value
    unit = next(size for size, name in _NATS if name == value.split()[1])
    ends = (f"{bound:.3g}" if bound < 999.5 else f"{bound:.0f}" for bound in (low / unit, high / unit))
    return f"{value} [{', '.join(ends)}]"


def percent(share: float | None, digits: int = 1) -> str:
    """0.1234 -> 12.3; never -0."""
    return MISSING if share is None else f"{round(100 * share, digits) + 0.0:.{digits}f}"


def interval_text(
    low: float | None, high: float | None, digits: int = 0, value: float | None = None, units: float | None = None
) -> str:
    """[12, 34] in percent after a space; nothing where there is no interval.

    A digit more where rounding would leave it no width or the `value` outside; a * from fewer than FEW `units`.
    """
    if low is None or high is None:
        return ""
    while digits < MOST_DIGITS and not _is_told(low, high, value, digits):
        digits += 1
    return f" [{percent(low, digits)}, {percent(high, digits)}]{'*' if units is not None and units < FEW else ''}"


def _is_told(low: float, high: float, value: float | None, digits: int) -> bool:
    """Whether the rounded bounds are apart, and on either side of the value as it is shown."""
    lower, upper = (round(100 * bound, digits) for bound in (low, high))
    return lower < upper and (value is None or lower <= round(100 * value, 1) <= upper)


def _prefixed(value: float, prefixes: tuple[tuple[float, str], ...]) -> str:
    rounded = float(f"{value:.3g}")  # first, so that 999.9 kB becomes 1.00 MB
    size, unit = next(((size, unit) for size, unit in prefixes if rounded >= size), prefixes[-1])
    number = float(f"{rounded / size:.3g}")
    return f"{number:.{max(0, 3 - len(str(int(number))))}f} {unit}"
