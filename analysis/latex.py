"""LaTeX of the paper's Tables 1 and 4 (arXiv 2409.12963): its own figures with a sweep's beside them, for booktabs."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from intpv.cost.shape import read as read_shape
from intpv.cost.table import as_in_the_paper, as_it_is
from intpv.errors import BadInput
from intpv.escape import latex_text
from intpv.options import option

from .pairs import baseline, difference, difference_text, paired_lines, partners
from .paper import ACCURACY_NOTES, COST_NOTES, SOURCE, TABLE_1, TABLE_4
from .runs import Cell
from .units import MISSING, bytes_text, interval_text, percent

FRAMES = (8, 16, 32, 64)  # columns of Table 4
SHAPE = "video_llava_7b"
KV = {"FP16": "none", "INT8": "int8", "INT4": "int4", "INT2": "int2"}  # column -> option of conf/kv_quant
HEAD = r"""% needs \usepackage{booktabs}
"""
Row = Sequence[str]


def latex_tables(sweeps: Mapping[str, Sequence[Cell]]) -> str:
    """Both tables; sweeps by name. BadInput where none has a finished cell."""
    if not any(cell.status == "done" for cells in sweeps.values() for cell in cells):
        raise BadInput(f"{', '.join(sweeps)}: no cell is finished")
    costs = [_costs_of_paper(), *(rows for name, cells in sweeps.items() if (rows := list(_costs(name, cells))))]
    scores = [_scores_of_paper(), *(rows for name, cells in sweeps.items() if (rows := list(_scores(name, cells))))]
    cost_head = ["", "$F$", "KV FP16", "as counted", "KV INT2", "as counted", "as stored", "total", "as counted"]
    cost_head += ["ms FP16", "as counted", "ms INT2", "as counted"]
    score_head = ["", "base, 8", *map(str, FRAMES), "most frames $-$ base"]
    caption = "{} of " + SOURCE + ", and ours."
    first = _table("costs", "What frames cost in GB and ms: " + caption.format("Table 1"), cost_head, costs, COST_NOTES)
    named = "Accuracy against frames: " + caption.format("Table 4")
    return f"{HEAD}{first}\n{_table('accuracy', named, score_head, scores, ACCURACY_NOTES)}"


def _costs_of_paper() -> Sequence[Row]:
    shape, options = read_shape(SHAPE, {}), {name: option("kv_quant", kv) for name, kv in KV.items()}
    rows = []
    for frames, paper in TABLE_1.items():
        counted, stored = as_in_the_paper(shape, frames), as_it_is(shape, frames, options)
        kv, ms = counted["kv"], counted["decode_s"]
        pairs = [(paper.kv_fp16, kv["FP16"] / 1e9), (paper.kv_int2, kv["INT2"] / 1e9)]
        texts = [text for known, own in pairs for text in (f"{known:g}", f"{own:.2f}")]
        texts += [
            f"{stored['kv']['INT2'] / 1e9:.2f}",
            f"{paper.total_fp16:.1f}",
            f"{counted['total']['FP16'] / 1e9:.1f}",
        ]
        for known_ms, name in ((paper.decode_fp16, "FP16"), (paper.decode_int2, "INT2")):
            texts += [MISSING if known_ms is None else f"{known_ms:g}", f"{1e3 * ms[name]:.1f}"]
        rows.append(["paper, 7B", str(frames), *texts])
    return rows


def _costs(name: str, cells: Sequence[Cell]) -> Iterator[Row]:
    """Measured: bytes of the prefix in full precision and at two bits, by frames."""
    found: dict[int, dict[str, Cell]] = {}
    for cell in cells:
        if "kv/bytes" in cell.metrics:
            found.setdefault(cell.frames, {}).setdefault(cell.kv_quant, cell)
    for frames, by_kv in sorted(found.items()):
        full, two = (by_kv[kv].metrics["kv/bytes"] if kv in by_kv else None for kv in ("none", "int2"))
        if full is not None or two is not None:
            model = next(iter(by_kv.values())).model
            known = [bytes_text(full), *[MISSING] * 3, bytes_text(two), *[MISSING] * 6]
            yield [f"{model}, measured ({name})", str(frames), *known]


def _scores_of_paper() -> Sequence[Row]:
    rows = []
    for data, paper in TABLE_4.items():
        shown = [f"{paper.interpolated[count]:.1f}" if count in paper.interpolated else MISSING for count in FRAMES]
        most = max(paper.interpolated)
        change = f"{paper.interpolated[most] - paper.baseline:+.1f}, no interval"
        rows.append([f"paper, 7B, {data}", f"{paper.baseline:.1f}", *shown, change])
    return rows


def _scores(name: str, cells: Sequence[Cell]) -> Iterator[Row]:
    """A row per strategy and order, in full precision."""
    base, read = baseline(cells), cache(Cell.samples)
    found: dict[tuple[str, str], dict[int, Cell]] = {}
    for cell in cells:
        if cell.status == "done" and cell.kv_quant == "none":
            found.setdefault((cell.strategy, cell.rearranger), {})[cell.frames] = cell
    for (strategy, order), by_frames in found.items():
        last = by_frames[max(by_frames)]
        shown = [_score(by_frames.get(count)) for count in FRAMES]
        change = MISSING
        if base is not None and base is not last:
            change = difference_text(difference(*paired_lines(read, partners(last, base)), ""))
            change += "" if last.frames == FRAMES[-1] else f" at {last.frames}"
        yield [f"{last.model}, {last.data}, {strategy}, {order} ({name})", _score(base), *shown, change]


def _score(cell: Cell | None) -> str:
    if cell is None or "accuracy" not in cell.metrics:
        return MISSING
    value, low, high = (cell.metrics.get(f"accuracy{end}") for end in ("", "_ci95_low", "_ci95_high"))
    return percent(value) + interval_text(low, high, value=value, units=cell.metrics.get("videos"))


def _table(label: str, caption: str, header: Row, blocks: Sequence[Sequence[Row]], notes: Sequence[str]) -> str:
    """A float; header cells are LaTeX, everything else is text."""
    columns = f"l{'r' * (len(header) - 1)}"
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{latex_text(caption)}}}", rf"\label{{tab:{label}}}"]
    lines += [r"\scriptsize", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _line(header), r"\midrule"]
    for place, rows in enumerate(blocks):
        lines += ([r"\midrule"] if place else []) + [_line([latex_text(cell) for cell in row]) for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}", "", r"\raggedright"]
    lines += [latex_text(note) + r"\par" for note in notes]
    return "\n".join([*lines, r"\end{table}", ""])


def _line(cells: Row) -> str:
    return " & ".join(cells) + r" \\"
