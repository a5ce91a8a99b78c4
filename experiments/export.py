"""Write a cell's predictions in another tool's format: python -m experiments.export lmms_eval runs/mine/CELL out

lmms_eval, vlmevalkit (.tsv, or .xlsx with --xlsx), video_llava, video_mme and egoschema; experiments.score --from reads
them back.
"""

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from intpv.errors import BadInput
from intpv.exchange.imported import FORMATS, CellFacts
from intpv.record.composed import read_composed
from intpv.record.run_folder import RunFolder

from .run.command import command_line, read_command_line
from .run.messages import explained


def main() -> None:
    parser = command_line("export", "Write a cell's predictions in another tool's format.")
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("cell", type=Path, help="a finished cell's folder, as runs/mine/CELL")
    parser.add_argument("folder", type=Path, help="where the files go, in a folder of the cell's name")
    parser.add_argument("--xlsx", action="store_true", help="vlmevalkit: .xlsx instead of .tsv (pip install openpyxl)")
    with explained("export"):
        arguments = read_command_line(parser, None)
        if arguments.xlsx and arguments.format != "vlmevalkit":
            raise BadInput(f"--xlsx is of vlmevalkit alone, got {arguments.format}")
        more = [".xlsx"] if arguments.xlsx else []
        print(*export(arguments.format, arguments.cell, arguments.folder, *more), sep="\n")


def export(format: str, cell: Path, folder: Path, *more: str) -> list[Path]:
    """The files written, into `folder`/<cell>: most formats name neither strategy nor model. BadInput for a cell that
    is not done."""
    run, composed = RunFolder(cell), read_composed(cell)
    state = run.state()
    if state.status != "done" or composed is None:
        raise BadInput(f"{cell} must be a finished cell, got {state.status or 'no cell'} {state.reason}".rstrip())
    model, task = (str(composed.choices.get(group, "unknown")) for group in ("model", "data"))
    time = datetime.fromisoformat(state.time) if state.time else datetime.fromtimestamp(0, UTC)
    facts = CellFacts(model, task, composed.config["frames"], time)
    return import_module(f"intpv.exchange.{format}").write(run.samples(), facts, folder / cell.resolve().name, *more)


if __name__ == "__main__":
    main()
