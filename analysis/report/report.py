"""Report: what its page says of each sweep, and the page itself."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from intpv.errors import BadInput
from intpv.escape import printable

from ..consistency import refuse_mixed
from ..page import size
from ..pairs import baseline
from ..provenance import provenance_lines
from ..runs import Cell, read_sweep
from ..score_columns import score_text
from ..seeds import over_seeds
from ..style import kv_term, looks, strategy_term
from ..table import remark
from ..units import bytes_text, nats_text, percent
from .attention import attention_over_time, head_panels
from .examples import examples
from .findings_of_sweep import findings_of_sweep
from .panels import panels_of_sweep
from .settings_of_cells import settings_of_cells
from .theme import theme

HERE = Path(__file__).parent


def write_report(folders: Sequence[Path], out: Path, across: Sequence[str] = (), videos: int = 3) -> Path:
    """`out`, one file with everything in it. BadInput for a sweep without a finished cell, or one that mixes models,
    test sets or versions without `across` naming them."""
    library = _library()
    sweeps = [_read(folder, across) for folder in folders]
    strategies = looks(cell.strategy for cells in sweeps for cell in cells)
    colors = {name: f"var(--strategy-{place})" for place, name in enumerate(strategies)}
    parts = [
        _part(number, folder, cells, colors, videos)
        for number, (folder, cells) in enumerate(zip(folders, sweeps, strict=True))
    ]
    panels = [panel for part in parts for panel in part["panels"]]
    script = (HERE / "page.js").read_text(encoding="utf-8")
    page = _template().render(
        title=" + ".join(folder.resolve().name for folder in folders),
        parts=parts,
        panels=panels,
        rows=[row for part in parts for row in part["rows"]],
        filters=_filters([cell for cells in sweeps for cell in cells]),
        legend=[(name, strategy_term(name), colors[name]) for name in strategies],
        theme=Markup(theme([look.color for look in strategies.values()])),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        library=Markup(library),
        script=Markup(script),
        # nothing but these two scripts may run, and nothing may be fetched, whatever the data hold
        policy=f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-eval' "
        f"{_digest(library)} {_digest(script)}",
        drawn_with=_library_version(),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    return out


def _read(folder: Path, across: Sequence[str]) -> list[Cell]:
    cells = read_sweep(folder)
    if not any(cell.status == "done" for cell in cells):
        raise BadInput(f"{folder} has no finished cell, got {', '.join(sorted({cell.status for cell in cells}))}")
    refuse_mixed(cells, across)
    return over_seeds(cells)


def _part(number: int, folder: Path, cells: Sequence[Cell], colors: dict[str, str], videos: int) -> dict[str, Any]:
    done = [cell for cell in cells if cell.status == "done"]
    base = baseline(cells)
    strips, why_none = examples(done, base, videos)
    id = f"sweep-{number}"
    panels = [*panels_of_sweep(cells, id, colors), *head_panels(cells, id)]
    return {
        "id": id,
        "name": folder.resolve().name,
        "models": sorted({cell.model for cell in done}),
        "data": sorted({cell.data for cell in done}),
        "asked": size(done, ""),
        "done": len(done),
        "cells": len(cells),
        "baseline": base and f"{base.frames} frames, {base.rearranger}, no RoPE scaling, full precision",
        "questions": findings_of_sweep(cells, id),
        "panels": panels,
        "figures": {panel["id"] for panel in panels},
        "failures": [(cell.name, cell.status, cell.reason) for cell in cells if cell.status != "done"],
        "remarks": [(cell.name, remark(cell)) for cell in done if remark(cell)],
        "examples": strips,
        "attention": attention_over_time(cells),
        "why_no_examples": why_none,
        "rows": _rows(folder.resolve().name, cells, colors),
        "shared": settings_of_cells(cells)[0],
        "provenance": provenance_lines(folder, cells).replace("`", ""),
    }


def _rows(sweep: str, cells: Sequence[Cell], colors: dict[str, str]) -> list[dict[str, Any]]:
    """Of the table of all cells: what is shown with what it is sorted by, and the settings that a cell has alone."""
    rows = []
    for cell, own in zip(cells, settings_of_cells(cells)[1], strict=True):
        known = cell.metrics.get
        kl = known("attention_kl/local/all/mean") if cell.kv_quant != "none" else None
        rows.append(
            {
                "sweep": sweep,
                "name": cell.name,
                "color": colors[cell.strategy],
                "filters": _values(cell),
                "columns": [
                    (strategy_term(cell.strategy), cell.strategy),
                    (cell.rearranger, cell.rearranger),
                    (str(cell.frames), cell.frames),
                    (kv_term(cell.kv_quant).removeprefix("KV "), known("kv/bits_per_element", -1)),
                    (score_text(cell, "", "accuracy").strip(), known("accuracy", -1)),
                    (score_text(cell, "", "skill").strip() if cell.metrics else "", known("skill", -9)),
                    (percent(known("coverage"), 0), known("coverage", -1)),
                    (percent(known("invalid_rate")), known("invalid_rate", -1)),
                    (bytes_text(known("kv/bytes")), known("kv/bytes", -1)),
                    (nats_text(kl), -1 if kl is None else kl),
                ],
                "settings": own,
            }
        )
    return rows


FILTERS = ("rope", "order", "frames", "kv", "status")


def _values(cell: Cell) -> dict[str, str]:
    return {
        "rope": printable(cell.strategy),
        "order": printable(cell.rearranger),
        "frames": str(cell.frames),
        "kv": printable(cell.kv_quant),
        "status": cell.status,
    }


def _filters(cells: Sequence[Cell]) -> list[tuple[str, list[str]]]:
    """Name and options; one without a choice is left out."""
    values = [_values(cell) for cell in cells]
    options = {name: list(dict.fromkeys(one[name] for one in values)) for name in FILTERS}
    options["frames"].sort(key=int)
    return [(name, found) for name, found in options.items() if len(found) > 1]


def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed (BSD 3-clause) as one script without dependencies."""
    try:
        from vl_convert import javascript_bundle
    except ImportError:
        raise BadInput("a report is drawn by Vega, from vl-convert-python: pip install 'intpv[report]'") from None
    return javascript_bundle().replace("</script", "<\\/script")


def _library_version() -> str:
    from vl_convert import get_vega_version, get_vegalite_versions

    return f"Vega {get_vega_version()}, Vega-Lite {get_vegalite_versions()[-1]}"


def _digest(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _template() -> Any:
    """Every text that is put in is made printable and then escaped."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    return environment.get_template("page.html")
