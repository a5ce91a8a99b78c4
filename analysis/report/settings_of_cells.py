"""Settings of a sweep's cells: what all of them share, and in what each differs, as flat keys."""

from collections.abc import Iterator, Mapping, Sequence

from intpv.record.composed import read_composed
from intpv.record.damaged import Damaged

from ..runs import Cell

Settings = list[tuple[str, str]]


def settings_of_cells(cells: Sequence[Cell]) -> tuple[Settings, list[Settings]]:
    """Shared ones, and of each cell the others; a cell whose config cannot be read has none."""
    each = [dict(_of_cell(cell)) for cell in cells]
    known = [one for one in each if one]
    shared = set.intersection(*(set(one.items()) for one in known)) if known else set()
    return sorted(shared), [[item for item in one.items() if item not in shared] for one in each]


def _of_cell(cell: Cell) -> Iterator[tuple[str, str]]:
    try:
        composed = read_composed(cell.folder)
    except Damaged:
        return
    yield from _flat("", composed.config if composed else {})


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, str(value)
