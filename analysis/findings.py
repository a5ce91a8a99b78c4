"""Findings: the README's section of results, made from the committed files under analysis/results/ alone.

    python -m experiments.evaluate -m experiment=mini_ablation logger=none
    python -m experiments.evaluate -m experiment=mini_ablation kv_quant=none model.seed=0,1,2 data.seed=1,2,3 \\
        logger=none sweep.name=mini_ablation_unused
    python -m experiments.evaluate -m experiment=kv_policies frames=64 model.seed=0,1,2 data.seed=1,2,3 logger=none \\
        sweep.name=kv_policies_unused
    python -m analysis.findings runs/{mini_ablation,mini_ablation_unused,kv_policies_unused}

The last one puts tables and figures of the sweeps that it is given under analysis/results/ and writes the section anew,
without any the section alone. It says what is there: KV policies once their sweep is. Sweeps of STUDIES, which
FINDINGS.md tells of, are put there too.
"""

import csv
import json
import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from intpv.errors import BadInput

from .differences import read_differences
from .runs import say
from .units import bytes_text, interval_text, percent
from .verdict import is_loss, points, trainings_text, verdict

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?<=## What the ablation shows\n\n).*?(?=## Add your own)", re.DOTALL)
SCALING, POLICIES = "mini_ablation_unused", "kv_policies_unused"  # splits (data.seed) that nothing was tuned on
BOARD = "strategies"
KEPT = {
    "mini_ablation": ("table.md", "table.csv", "differences.csv", "accuracy.png", "kv.png"),
    SCALING: ("table.md", "pooled.csv", "differences.csv", "accuracy.png"),
    POLICIES: ("table.md", "pooled.csv", "differences.csv"),
    BOARD: ("table.md", "leaderboard.md", "leaderboard.csv"),
}
CONTRAST = ("table.md", "contrast.md", "contrast.csv")
STUDIES = {  # of FINDINGS.md: conf/experiment/<name>.yaml holds question, prediction and commands
    **dict.fromkeys(("plateau", "synergy", "smollm2_plateau"), ("table.md", "attribution.md", "attribution.csv")),
    **dict.fromkeys(("dilution", "rope_sensitivity", "kv_fidelity", "kv_pruning", "windows"), CONTRAST),
    **dict.fromkeys(("smollm2_kv", "smollm2_temperature", "smollm2_dilution"), CONTRAST),
    "smollm2_ablation": (*CONTRAST, "leaderboard.md", "accuracy.png"),
    "smollm2_sink": ("table.md",),
    "alarm": ("table.md", "alarm.md"),
    "speed": ("table.md", "kinds.md", "saturation.md"),
    "long_reasoning": ("table.md", "kinds.md", "order.md"),
    **dict.fromkeys(("temporal_drift", "order_check"), ("table.md", "drift.md")),
    "longer": (*CONTRAST, "pareto.png", "slow.md"),
    "longer_evict": (*CONTRAST, "pareto.png"),
}
STRATEGIES, FRAMES = ("none", "linear", "ntk", "yarn", "visual_only"), (8, 16, 32, 64)
REGIMES = ("slow", "fast")
KV = ("int8", "int4", "int2", "best2", "paper_channel", "paper_tensor")
FASTER = (("best2", "quanto2 K0 V0"), ("int4", "quanto4 K0 V0"))  # quanto by its faster axes
WIDTH = 118  # characters of a line


def section() -> str:
    """What stands between the two headings."""
    cells, pairs = _cells(SCALING), _pairs(SCALING)
    first = cells["none", 8, "none"]
    clips, asked = (_same(first[f"{regime}/{name}"] for regime in REGIMES) for name in ("videos", "questions"))
    trainings = max(1, len(pairs[0]["trainings"]))
    head = (
        f"Skill of the mini model{_mean_of(trainings)} on flipbook in % [95 % interval], slow / fast clips: {clips} "
        f"clips and {asked} questions each, of {pairs[0]['runs'] // trainings} splits not used for tuning, KV "
        f"unquantised ([table]({_at(SCALING)})). What `make ablation` shows, on the default split and with KV widths, "
        f"is [this table]({_at('mini_ablation')}). The paper's open questions, and a real language model, which ranks "
        f"strategies otherwise at 64 frames: [findings](analysis/FINDINGS.md)."
    )
    kv = [_kv(_cells(POLICIES), _pairs(POLICIES), trainings)] if POLICIES in _there() else []
    items = [_alone(pairs), _others(cells, pairs), _board(), *kv, _bench(), _limits(first, trainings)]
    parts = [
        _filled(head),
        _table(cells),
        "\n".join(_filled(f"* {item}") for item in items),
        f"The same again, then the tables and this section from it:\n\n```\n{_commands()}\n```\n\n",
    ]
    return "\n\n".join(parts)


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
    (one, many), (dense, dense_many) = (
        [_spread(rows[count][name]["times_dense"]["cpu_ms"], 2) for count in ("1", "24")]
        for name in ("best2 compiled", "none sdpa")
    )
    return (
        f"**Beside quanto** at 2 bits ([bench](analysis/results/bench_kv.md)): `best2` moves attention {drawn} times "
        f"as far on drawn 7B-shaped layers, {own} times on an earlier mini model's own; a decode step of a layer at "
        f"{tokens} tokens on a CPU thread is {two} times as fast (`int4` at 4 bits: {four}), and takes {one} of the "
        f"time of torch's attention to the unquantised prefix, {many} with 24 rows at once; ours in full precision "
        f"takes {dense} and {dense_many}."
    )


def _mean_of(trainings: int) -> str:
    return f" (mean of {trainings} trainings; in braces each)" if trainings > 1 else ""


def _limits(cell: Mapping, trainings: int) -> str:
    kinds = {name.rsplit("/", 1)[1]: value for name, value in cell.items() if name.startswith("slow/skill/")}
    skills = ", ".join(f"{kind} {value:.2f}" for kind, value in sorted(kinds.items(), key=lambda item: -item[1]))
    times = {1: "once", 2: "twice"}.get(trainings, f"{trainings} times")
    shown = "; a loss is named where every training shows it" * (trainings > 1)
    return (
        f"**Limits.** One mini model, trained {times}{shown}. It has seen one kind of picture and 94 words: evidence "
        f"about mechanisms, **not about any 7B model**. Skill at {FRAMES[0]} slow frames by kind: {skills}."
    )


def _commands() -> str:
    tables = [(RESULTS / name / "table.md").read_text(encoding="utf-8") for name in _there()]
    runs = [re.findall(r"^- command: `(.+)`$", table, re.MULTILINE)[0] for table in tables]
    runs = [_filled(run).replace("\n", " \\\n    ") for run in runs]
    return "\n".join([*runs, f"python -m analysis.findings {' '.join(f'runs/{name}' for name in _there())}"])


def _there() -> list[str]:
    """Sweeps that are committed, with their differences."""
    return [name for name in KEPT if (RESULTS / name / "differences.csv").exists()]


def _pairs(sweep: str) -> list[dict]:
    return read_differences(RESULTS / sweep / "differences.csv")


def _cells(sweep: str) -> dict[tuple[str, int, str], dict]:
    """pooled.csv by strategy, frames and KV policy."""
    with (RESULTS / sweep / "pooled.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    rows: list[dict[str, Any]] = [{name: _number(text) for name, text in line.items()} for line in lines]
    return {(row["rope_strategy"], row["frames"], row["kv_quant"]): row for row in rows}


def _number(text: str) -> int | float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


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


def _at(sweep: str) -> str:
    return f"analysis/results/{sweep}/table.md"


def publish(folder: Path) -> None:
    """Its summary anew, and of that what is KEPT, or a study's, under the name of the sweep."""
    from .summary import summarise_sweep

    summarise_sweep(folder)
    kept = (KEPT | STUDIES)[folder.name]
    if missing := [name for name in kept if not (folder / name).exists()]:
        raise BadInput(f"{folder} has no {missing[0]}: conf/experiment/{folder.name}.yaml says what makes it")
    (RESULTS / folder.name).mkdir(exist_ok=True)
    for name in kept:
        shutil.copyfile(folder / name, RESULTS / folder.name / name)


def main() -> int:
    folders = [Path(argument) for argument in sys.argv[1:]]
    return say(lambda: _publish_all(folders))


def _publish_all(folders: Sequence[Path]) -> list[Path]:
    if unknown := [str(folder) for folder in folders if folder.name not in KEPT | STUDIES]:
        raise BadInput(f"sweeps whose results are committed: {', '.join(KEPT | STUDIES)}, got {', '.join(unknown)}")
    for folder in folders:
        publish(folder)
    README.write_text(BLOCK.sub(lambda _: section(), README.read_text(encoding="utf-8")), encoding="utf-8")
    return [RESULTS / folder.name for folder in folders] + [README]


if __name__ == "__main__":
    sys.exit(main())
