"""Tables: the bench's result as Markdown, to be read; every figure is in the JSON too."""

from collections.abc import Sequence

from intpv.escape import markdown_table
from intpv.metrics.interval import FEW

from ...run.provenance import line

# Cells of a Markdown table.


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return markdown_table(heads, lines).rstrip()


def spread(times: dict) -> str:
    """Median and extremes."""
    return f"{times['median']:.2f} [{times['min']:.2f}, {times['max']:.2f}]"


def with_interval(mean: float, interval: Sequence[float] | None, units: int) -> str:
    """A * marks an interval over so few units that it is too narrow."""
    return f"{mean:.3g}" + (f" [{interval[0]:.3g}, {interval[1]:.3g}]{'*' * (units < FEW)}" if interval else "")


def megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}"


# Tables of times and memory.


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


KLS, LOSSES = ("mean", "median", "p95", "max"), ("key", "value", "output")


def markdown(result: dict) -> str:
    """All sections that there are so far."""
    parts = [f"# bench_kv\n\n{result['what']}\n\n{_setting(result)}"]
    for name, found in result.get("fidelity", {}).items():
        about = result["about"][name.split(" ")[0]]
        parts += [
            f"## Fidelity: {name}\n\n{about}{_achieved(found)}{_accounted(found)}",
            fidelity(found),
            ratios(found),
        ]
    for found in result.get("speed", {}).values():
        title = f"## One layer, {found['tokens']} tokens\n\n{note(found)}"
        parts += [title, layer(found), *[faster(found)] * bool(found["faster"])]
    for found in result.get("rows", {}).values():
        parts += [f"## Many rows, one layer, {found['tokens']} tokens", rows(found)]
    for found in result.get("decoder", {}).values():
        parts += [f"## Whole decoder, {found['frames']} frames, {found['tokens']} tokens", decoder(found)]
    skipped = [f"- {name}: {reason}" for name, reason in result.get("skipped", {}).items()]
    parts += ["## Skipped", "\n".join(skipped)] * bool(skipped)
    return "\n\n".join(parts) + "\n"


def fidelity(found: dict) -> str:
    """KL over (layer, head), relative errors in %, and the answers' KL where questions were asked."""
    lines = []
    for name, row in found["methods"].items():
        kl = [f"{row['kl'][part]:.2g}" for part in KLS]
        errors = [f"{100 * row['errors'][part]:.2f}" for part in LOSSES]
        lines.append([name, f"{row['bits_per_element']:.2f}", *kl, *errors])
        if "answer_kl" in row:
            lines[-1] += [with_interval(**row["answer_kl"]), f"{100 * row['answers_changed']:.1f}"]
    heads = ["method", "bits", *(f"KL {part}" for part in KLS), *(f"{part} %" for part in LOSSES)]
    answers = ["answer KL [95 %]", "changed %"] * any("answer_kl" in row for row in found["methods"].values())
    return table([*heads, *answers], lines)


def ratios(found: dict) -> str:
    """Of the KL, ours / theirs; a limit stands where the bits are equal, to within ratios.EQUAL."""
    lines = []
    for one in found["ratios"]:
        bits = " / ".join(f"{bits:.2f}" for bits in one["bits"])
        spread = [f"{one[part]:.2g}" for part in ("median", "most")]
        limit = "" if one["at_most"] is None else f"{one['at_most']:g} {_verdict(one)}"
        ratio = with_interval(one["ratio"], one["interval"], one["units"])
        lines.append([f"{one['ours']} / {one['theirs']}", bits, ratio, *spread, str(one["units"]), limit])
    return table(["KL ratio", "bits", "of means [95 %]", "median of units", "most", "units", "at most"], lines)


def _achieved(found: dict) -> str:
    """How sharp the drawn queries are, the mean over seeds."""
    drawn = found.get("achieved", [])
    means = [sum(one[part] for one in drawn) / len(drawn) for part in ("width", "top1") if drawn]
    return (
        " Rows attend to {:.1f} tokens (median), the first key has {:.2f} of the mass.".format(*means) if means else ""
    )


def _accounted(found: dict) -> str:
    """Whether the bytes of ours are those of the closed form."""
    off = [name for name, row in found["methods"].items() if not row.get("equals_closed_form", True)]
    return f" Bytes differ from the closed form: {', '.join(off)}." if off else " All our bytes are the closed form's."


def _verdict(one: dict) -> str:
    if one["ratio"] > one["at_most"]:
        return "not reached"
    return "reached" if one["interval"] and one["interval"][1] <= one["at_most"] else "reached, its interval not"


def _setting(result: dict) -> str:
    found = result["provenance"]
    peers = ", ".join(f"{name} {version or 'missing'}" for name, version in result["peers"].items())
    return f"{line(found)}\n- {found['cores']} cores, {result['threads']} thread(s); {peers}"
