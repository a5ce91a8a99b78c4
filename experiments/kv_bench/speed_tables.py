"""Tables of times and memory."""

from .cells import megabytes, spread, table

RUNS = [f"{run}{how}" for run in ("attention", "step") for how in ("", " in a graph")]


def note(found: dict) -> str:
    """What the columns are held against."""
    block, scores = (megabytes(found[part]) for part in ("block_bytes", "score_bytes"))
    return (
        f"A copy moves {found['copy_bytes_per_s'] / 1e9:.1f} GB/s; limit is held bytes over that. A dense block of "
        f"keys and values in float32 is {block} MB, the scores of one row {scores} MB."
    )


def layer(found: dict) -> str:
    lines = []
    for name, row in found["methods"].items():
        times = [f"{row['hold_s']:.2f}", spread(row["wall_ms"]), spread(row["cpu_ms"]), f"{row['limit_ms']:.2f}"]
        lines.append([name, *_sizes(row), "yes" if row["within_block_and_scores"] else "no", *times, _off(row)])
    clocks = ["wall ms [least, most]", "CPU ms [least, most]", "limit ms"]
    return table(
        ["method", "bits", "held MB", "beyond it MB", "within block and scores", "hold s", *clocks, "off eager"], lines
    )


def faster(found: dict) -> str:
    """A line per path, a column per axes."""
    columns = list(dict.fromkeys(one["theirs"].split(" ", 1)[1] for one in found["faster"]))
    cells: dict[str, dict[str, str]] = {}
    for one in found["faster"]:
        text = " / ".join(f"{one[clock]['median']:.3g}" for clock in ("wall_ms", "cpu_ms"))
        cells.setdefault(one["ours"], {})[one["theirs"].split(" ", 1)[1]] = text
    lines = [[name, *(row.get(column, "") for column in columns)] for name, row in cells.items()]
    return table(["times faster than quanto of as many bits, wall / CPU", *columns], lines)


def rows(found: dict) -> str:
    """A line per path, a column per number of rows."""
    counts = list(found["rows"])
    lines = []
    for name in found["rows"][counts[0]]:
        cells = [found["rows"][count][name] for count in counts]
        lines.append([name, *(f"{one['cpu_ms']['median']:.1f}, {_times(one)}" for one in cells)])
    return table(["method", *(f"{count} rows: CPU ms, times dense [least, most]" for count in counts)], lines)


def decoder(found: dict) -> str:
    lines = []
    for name, row in found["methods"].items():
        limits = " / ".join(f"{ms:.2f}" for ms in row["limit_ms"].values())
        lines.append([name, *_sizes(row), *(_decoded(row["times"].get(run, {})) for run in RUNS), limits])
    return table(["method", "bits", "held MB", "beyond it MB", *(f"{run} ms" for run in RUNS), "limits ms"], lines)


def _times(row: dict) -> str:
    return spread(row["times_dense"]["cpu_ms"])


def _sizes(row: dict) -> list[str]:
    return [f"{row['bits_per_element']:.2f}", megabytes(row["bytes"]), megabytes(row["beyond_held_bytes"])]


def _off(row: dict) -> str:
    return f"{row['off_eager']:.1e}" if "off_eager" in row else ""


def _decoded(times: dict) -> str:
    return spread(times["wall_ms"]) if "wall_ms" in times else times.get("skipped", "")
