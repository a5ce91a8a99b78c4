"""README section: what the README says of results, in words and figures that the committed files alone give."""

import csv
import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .committed import BOARD, POLICIES, RESULTS, SCALING, pairs_of, pooled_cells
from .units import bytes_text, interval_text, percent
from .verdict import is_loss, points, trainings_text, verdict

STRATEGIES, FRAMES = ("none", "linear", "ntk", "yarn", "visual_only"), (8, 16, 32, 64)
REGIMES = ("slow", "fast")
KV = ("int8", "int4", "int2", "best2", "paper_tensor")
FASTER = (("best2", "quanto2 K0 V0"), ("int4", "quanto4 K0 V0"))  # quanto by its faster axes
LONGEST = 1024  # frames of smollm2_longer
LEFT_OUT = ("linear", "ntk")  # of its ablation, for want of room
REAL_KV = ("int4", "best2_sink")  # of the real language model
WIDTH = 118  # characters of a line


def section() -> str:
    """What stands between the two headings."""
    cells, pairs = pooled_cells(SCALING), pairs_of(SCALING)
    first = cells["none", 8, "none"]
    clips, asked = (_same(first[f"{regime}/{name}"] for regime in REGIMES) for name in ("videos", "questions"))
    trainings = max(1, len(pairs[0]["trainings"]))
    head = (
        f"Skill of the mini model{_mean_of(trainings)} on flipbook in % [95 % interval], slow / fast clips: {clips} "
        f"clips and {asked} questions each, of {pairs[0]['runs'] // trainings} splits not used for tuning, KV "
        f"unquantised. The [table]({_at(SCALING)}), as [that]({_at('mini_ablation')}) of `make ablation`, states its "
        f"command. The paper's open questions: [findings](analysis/FINDINGS.md)."
    )
    kv = [_kv(pooled_cells(POLICIES), pairs_of(POLICIES), trainings)] if (RESULTS / POLICIES).exists() else []
    items = [_alone(pairs), _others(cells, pairs), _board(), *kv, *_real(), _bench(), _limits(first, trainings)]
    return "\n\n".join([_filled(head), _table(cells), "\n".join(_filled(f"* {item}") for item in items)]) + "\n\n"


def _filled(text: str) -> str:
    indent = "  " if text.startswith("* ") else ""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _table(cells: Mapping) -> str:
    lines = [["RoPE, factor from the visual length", f"{FRAMES[0]} frames", *map(str, FRAMES[1:])]]
    lines.append(["---"] * len(lines[0]))
    lines += [[name, *(_skills(cells[name, frames, "none"]) for frames in FRAMES)] for name in STRATEGIES]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)


def _skills(cell: Mapping) -> str:
    return " / ".join(_metric(cell, f"{regime}/skill", cell[f"{regime}/videos"]) for regime in REGIMES)


def _alone(pairs: Sequence[Mapping]) -> str:
    said = []
    for frames in FRAMES[1:]:
        rows = _of(pairs, rope_strategy="visual_only", frames=frames, reference="baseline", regime="slow")
        said.append(f"at {frames} frames it {verdict(rows)} ({_all_points(rows)} over all questions)")
    return f"**Scaling the video alone** (`visual_only`), slow clips, points against 8 frames: {', '.join(said)}."


def _all_points(rows: Sequence[Mapping]) -> str:
    """Of all questions together, with each training's own in braces."""
    whole = _whole(rows)
    return points(whole) + (f" {{{trainings_text(whole)}}}" if whole["trainings"] else "")


def _others(cells: Mapping, pairs: Sequence[Mapping]) -> str:
    """What the rest lose, and how much of it is misreading: answers that were right among the options given."""
    said, base = [], cells["none", FRAMES[0], "none"]
    for name in STRATEGIES:
        cell = cells[name, FRAMES[-1], "none"]
        rows = _of(pairs, rope_strategy=name, frames=FRAMES[-1], reference="baseline", regime="slow")
        free, given = cell["slow/accuracy"], cell["slow/accuracy_restricted"]
        lost, misread = base["slow/accuracy"] - free, given - free
        share = f", {percent(misread / lost, 0)} %" if is_loss(_whole(rows)) else ""
        said.append(f"`{name}` {_all_points(rows)}{share}")
    return (
        f"**All at {FRAMES[-1]} frames**, slow clips, points against 8 frames, and the share of it that is misreading "
        f"(right where only the options are compared): {'; '.join(said)}."
    )


def _board() -> str:
    """Where each strategy is the best or not told from it."""
    with (RESULTS / BOARD / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    strategies = len({row["rope_strategy"] for row in rows})
    ranked = Counter(row["rope_strategy"] for row in rows if row["holds"] == "True").most_common()
    named = ", ".join(f"`{name}` {count}" for name, count in ranked[:5])
    return (
        f"**[All strategies](analysis/results/{BOARD}/leaderboard.md)**, in so many of {len(rows) // strategies} "
        f"settings the best or not told from it: {named}, the other {strategies - 5} {ranked[5][1]} or fewer."
    )


def _kv(cells: Mapping, pairs: Sequence[Mapping], trainings: int) -> str:
    frames = FRAMES[-1]
    whole = cells["visual_only", frames, "none"]["kv/bytes"]
    said = []
    for kv in KV:
        size = cells["visual_only", frames, kv]["kv/bytes"]
        rows = _of(pairs, frames=frames, kv_quant=kv, reference="full precision")
        shares = f"{percent(size / whole, 0)} / {percent(2 * size / whole, 0)} %"
        said.append(f"`{kv}` ({shares}, {_all_points(_of(rows, regime='slow'))}) {verdict(rows)}")
    alone = " of one training" if len(pairs[0]["trainings"]) < 2 <= trainings else ""
    return (
        f"**KV policies** at {frames} frames, `visual_only`{alone}, against full precision (bytes as a share of the "
        f"{bytes_text(whole)} in float32 / of the {bytes_text(whole / 2)} in float16; points over all slow questions): "
        f"{'; '.join(said)}. [Table]({_at(POLICIES)})."
    )


def _real() -> Iterator[str]:
    """What a real language model loses, for which the toy is no guide."""
    studies = [f"smollm2_{name}" for name in ("ablation", "parallel", "budget", "longer", "kv", "sink", "parallel_kv")]
    if not all((RESULTS / name / "differences.csv").exists() for name in studies):
        return
    ablation, parallel, budget, longer, *policies = map(pairs_of, studies)
    slow: dict[str, Any] = {"frames": FRAMES[-1], "regime": "slow", "kind": ""}
    rope = [row for row in _of(ablation, reference="baseline", **slow) if row["rope_strategy"] not in LEFT_OUT]
    yarn, sink, windows = (_of(pairs, reference="full precision", **slow) for pairs in policies)
    sink = [{**row, "kv_quant": "best2_sink"} for row in _of(sink, kv_quant="best2_sink sinks=1")]
    yarn, windows = ([row for row in rows if row["kv_quant"] in REAL_KV] for rows in ([*yarn, *sink], windows))
    windowed = _by_regime(parallel, slow, rope_strategy="parallel_windows")
    left = _by_regime(budget, slow, variant="budget=drop_repeated")
    beyond = _of(longer, frames=LONGEST, reference="baseline", kind="", kv_quant="none", variant="")
    yield (
        f"**Otherwise on a real language model** (SmolLM2-135M, trained {_times(len(rope[0]['trainings']) or 1)}, "
        f"{rope[0]['videos']} clips, [findings](analysis/FINDINGS.md)). {FRAMES[-1]} slow frames, points against "
        f"{FRAMES[0]}: {_sorted(rope, 'rope_strategy')}. Windows of {FRAMES[0]} frames "
        f"read in parallel, `parallel_windows`, {windowed}; the tokens of {FRAMES[0]} frames, "
        f"`budget=drop_repeated`, {left}. {LONGEST:,} frames, beyond its text's window: "
        f"{_sorted(beyond, 'rope_strategy')}. KV against full precision: under `yarn` {_sorted(yarn, 'kv_quant')}; "
        f"under `parallel_windows` {_sorted(windows, 'kv_quant')}."
    )


def _by_regime(pairs: Sequence[Mapping], where: Mapping, **wanted: str) -> str:
    """Against the trained number of frames, slow and fast clips."""
    rows = [_of(pairs, reference="baseline", **{**where, "regime": regime, **wanted}) for regime in REGIMES]
    return " and ".join(f"{_all_points(one)} ({regime})" for regime, one in zip(REGIMES, rows, strict=True))


def _sorted(rows: Sequence[Mapping], column: str) -> str:
    """Each row of all questions, the least lost first."""
    ordered = sorted(rows, key=lambda row: -row["mean"])
    return ", ".join(f"`{row[column]}` {_all_points([row])}" for row in ordered)


def _bench() -> str:
    found = json.loads((RESULTS / "bench_kv.json").read_text(encoding="utf-8"))
    drawn, own = (
        _ratio(found["fidelity"][name]["ratios"], "best2", "quanto2 K-1 V0")
        for name in ("video_like", f"flipbook {FRAMES[-1]} frames")
    )
    tokens = "4096"
    faster = {(one["ours"], one["theirs"]): one["cpu_ms"] for one in found["speed"][tokens]["faster"]}
    two, four = (_spread(faster[f"{ours} compiled", theirs], 0) for ours, theirs in FASTER)
    rows = found["rows"][tokens]["rows"]
    one = _spread(rows["1"]["best2 compiled"]["times_dense"]["cpu_ms"], 2)
    return (
        f"**Beside quanto** at 2 bits ([bench](analysis/results/bench_kv.md)): `best2` moves attention {drawn} times "
        f"as far on drawn 7B-shaped layers, {own} times on an earlier mini model's own; a decode step of a layer at "
        f"{tokens} tokens on a CPU thread is {two} times as fast (`int4` at 4 bits: {four}), and takes {one} of the "
        f"time of torch's attention to the unquantised prefix."
    )


def _mean_of(trainings: int) -> str:
    return f" (mean of {trainings} trainings; in braces each)" if trainings > 1 else ""


def _limits(cell: Mapping, trainings: int) -> str:
    kinds = {name.rsplit("/", 1)[1]: value for name, value in cell.items() if name.startswith("slow/skill/")}
    skills = ", ".join(f"{kind} {value:.2f}" for kind, value in sorted(kinds.items(), key=lambda item: -item[1]))
    shown = "; a loss is named where every training shows it" * (trainings > 1)
    return (
        f"**Limits.** One mini model, trained {_times(trainings)}{shown}. It has seen one kind of picture and 94 "
        f"words: evidence about mechanisms, **not about any 7B model**. Skill at {FRAMES[0]} slow frames "
        f"by kind: {skills}."
    )


def _of(rows: Sequence[Mapping], **wanted: object) -> list[Mapping]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _whole(rows: Sequence[Mapping]) -> Mapping:
    (row,) = _of(rows, kind="")
    return row


def _metric(cell: Mapping, name: str, videos: int) -> str:
    low, high = (cell[f"{name}_ci95_{end}"] for end in ("low", "high"))
    return f"{percent(cell[name], 0)}{interval_text(low, high, value=cell[name], units=videos)}"


def _ratio(ratios: Sequence[Mapping], ours: str, theirs: str) -> str:
    (one,) = [one for one in ratios if (one["ours"], one["theirs"]) == (ours, theirs)]
    return f"{one['ratio']:.2f} [{one['interval'][0]:.2f}, {one['interval'][1]:.2f}]"


def _spread(times: Mapping, digits: int) -> str:
    """Median [least, most] of the rounds."""
    median, least, most = (f"{times[name]:.{digits}f}" for name in ("median", "min", "max"))
    return f"{median} [{least}, {most}]"


def _same(values: Iterable[object]) -> object:
    (value,) = set(values)
    return value


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _at(sweep: str) -> str:
    return f"analysis/results/{sweep}/table.md"
